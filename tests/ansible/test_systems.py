"""What differs between systems stands in vars/SYSTEM.yml of the roles, and nowhere else."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in PROJECT.joinpath("roles").iterdir())
FACTS = sorted(PROJECT.glob("roles/*/vars/*_*.yml"))
SYSTEMS = ["Debian_12", "Debian_13"]
# Debian's names of its releases, and of packages, units, directories and interpreters that carry a version.
VERSIONED = re.compile(r"bookworm|trixie|python3\.\d|openjdk-\d|postgresql[-/@]\d|\b1[57][/-]main|\bcluster 1[57]\b")
# Prose that says what was measured on which system, and the locked packages.
PROSE = ("docs/", "requirements/", "CHANGELOG.md")


def role_of(facts: Path) -> str:
    return facts.parts[-3]


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT).stdout.splitlines()
    return [PROJECT / name for name in names if not name.startswith(PROSE) and PROJECT.joinpath(name).is_file()]


def mentions(paths: list[Path]) -> list[str]:
    """Each line that names a version of one system, as FILE: LINE."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in paths}
    return [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path, text in texts.items()
        for line in text.splitlines()
        if VERSIONED.search(line)
    ]


def test_facts_of_a_system_stand_in_the_vars_of_the_roles_alone() -> None:
    allowed = [*FACTS, *PROJECT.glob("roles/*/meta/main.yml"), Path(__file__)]

    assert mentions([path for path in tracked_files() if path not in allowed]) == []


@pytest.mark.parametrize(
    "line",
    ["postgresql@15-main.service", "/usr/lib/postgresql/17/bin", "openjdk-21-jre", "python3.13", "15/main", "trixie"],
)
def test_versioned_name_is_recognized(line: str) -> None:
    assert VERSIONED.search(line)


@pytest.mark.parametrize("role", sorted({role_of(path) for path in FACTS}))
def test_role_knows_the_same_facts_of_each_system(role: str) -> None:
    facts = {path.stem: set(yaml.safe_load(path.read_text())) for path in FACTS if role_of(path) == role}

    assert sorted(facts) == SYSTEMS
    assert len({frozenset(names) for names in facts.values()}) == 1


# The throw-away host's are chosen before there is a host to ask.
def test_facts_of_every_role_are_loaded() -> None:
    (task,) = yaml.safe_load(PROJECT.joinpath("roles/platform/tasks/system.yml").read_text())[-1:]

    assert set(task["loop"]) == {role_of(path) for path in FACTS} - {"sandbox"}


@pytest.mark.parametrize("role", ROLES)
def test_role_names_its_systems_by_debians_names(role: str) -> None:
    suites = [
        yaml.safe_load(PROJECT.joinpath(f"roles/sandbox/vars/{system}.yml").read_text())["__sandbox_suite"]
        for system in SYSTEMS
    ]

    information = yaml.safe_load(PROJECT.joinpath("roles", role, "meta/main.yml").read_text())["galaxy_info"]

    assert information["platforms"] == [{"name": "Debian", "versions": suites}]
    assert information["min_ansible_version"] == "2.19"


PLATFORM = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        distribution: %s
        distribution_major_version: "%s"
        distribution_version: "%s"
        cacheable: true
    - ansible.builtin.import_role: {name: platform}
    - ansible.builtin.debug:
        msg: "{{ components['lambda-postgres'].unit }} {{ __kafka_java_package }} {{ __python_venv_python }}"
"""


def play(tmp_path: Path, distribution: str, version: str) -> subprocess.CompletedProcess[str]:
    """Runs the role platform for a host that says it is of this system."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLATFORM % (distribution, version.partition(".")[0], version))
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(playbook)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=PROJECT)


@pytest.mark.parametrize(
    ("version", "facts"),
    [
        ("12.9", "postgresql@15-main.service openjdk-17-jre-headless 3.11"),
        ("13.2", "postgresql@17-main.service openjdk-21-jre-headless 3.13"),
    ],
)
def test_facts_are_those_of_the_hosts_system(version: str, facts: str, tmp_path: Path) -> None:
    assert facts in play(tmp_path, "Debian", version).stdout


@pytest.mark.parametrize(("distribution", "version"), [("Debian", "11.9"), ("Ubuntu", "24.04")])
def test_other_system_is_refused_by_name(distribution: str, version: str, tmp_path: Path) -> None:
    result = play(tmp_path, distribution, version)

    sentence = f"localhost runs {distribution} {version}: the platform needs Debian 12 or Debian 13."
    assert result.returncode == 2
    assert sentence in " ".join(result.stdout.split())
