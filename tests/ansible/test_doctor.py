"""What lambda-app doctor takes for right is what the roles and the alerts have."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, TemplateError

from lambda_app.core.operate.doctor import host, things
from lambda_app.core.operate.doctor.paths import PATHS, NeededPath
from tests.support.components import TABLE

PROJECT = Path(__file__).parents[2]


def tasks(role: str) -> Iterator[dict[str, Any]]:
    """The tasks of a role, those of its blocks too."""
    pending = [task for path in PROJECT.glob(f"roles/{role}/tasks/*.yml") for task in yaml.safe_load(path.read_text())]
    while pending:
        task = pending.pop()
        pending += [inner for part in ("block", "rescue", "always") for inner in task.get(part, [])]
        yield task


def made_paths() -> set[tuple[str, str, int]]:
    """Path, owner and mode of each file and directory that a role makes."""
    templates, made = Environment(), set()
    for role in (path.name for path in PROJECT.joinpath("roles").iterdir()):
        variables = PROJECT / f"roles/{role}/vars/main.yml"
        known = yaml.safe_load(variables.read_text()) if variables.exists() else {}
        for task in tasks(role):
            for module in ("file", "template", "copy"):
                arguments = task.get(f"ansible.builtin.{module}")
                for item in task.get("loop", [None]) if arguments else []:
                    texts = [str(arguments.get(key, "")) for key in ("owner", "mode")]
                    path, owner, mode = (
                        rendered(templates, text, known, item)
                        for text in (arguments.get("path") or arguments.get("dest"), *texts)
                    )
                    if mode.isdigit():
                        made.add((path, owner, int(mode, 8)))
    return made


def rendered(templates: Environment, text: str, known: dict[str, Any], item: object) -> str:
    """With the variables of the role, whose values may hold templates too; as it stands where Ansible is needed."""
    with suppress(TemplateError):
        for _ in range(3):
            text = templates.from_string(text).render({**known, "item": item})
    return text


@pytest.mark.parametrize("needed", PATHS, ids=lambda needed: needed.path)
def test_path_is_made_by_a_role_as_the_doctor_expects_it(needed: NeededPath) -> None:
    assert (needed.path, needed.owner, needed.mode) in made_paths()
    assert set(needed.components) <= {row.name for row in TABLE}


def test_thresholds_are_those_of_the_alerts() -> None:
    thresholds = yaml.safe_load(PROJECT.joinpath("monitoring/thresholds.yml").read_text())

    assert thresholds["disk_free_ratio"] == host.FREE_RATIO
    assert thresholds["inodes_free_ratio"] == host.FREE_INODES_RATIO
    assert thresholds["clock_difference_seconds"] == host.CLOCK_SECONDS


def test_needs_name_components() -> None:
    names = {row.name for row in TABLE}

    assert set(things.NEEDS) | {need for needs in things.NEEDS.values() for need in needs} <= names
    assert set(things.SERVERS.values()) | set(things.STARTED_BY) <= names


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_playbook_of_each_component_exists(row) -> None:
    command, name = things.playbook(row).split()

    assert command == "ansible-playbook"
    assert PROJECT.joinpath(name).is_file()
