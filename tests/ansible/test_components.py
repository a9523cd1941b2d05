"""The table of components reaches all who show or enforce it: limits, slices, status, README.md and molecule."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ansible import component_tables

PROJECT = component_tables.PROJECT
ROWS = component_tables.rows()
LIMITED = {name: row for name, row in ROWS.items() if "cpu_quota" in row}
UNIT_FILES = {path.name for path in PROJECT.joinpath("systemd").iterdir() if path.suffix != ".slice"}

NEW_ROW = """
  lambda-counter:
    unit: lambda-counter.service
    slice: lambda-data.slice
    group: postgres
    kind: job
    cpu_quota: 50%
    memory_max: 256M
    failure: nobody counts
"""
# In check mode: what would be written is shown as a difference, and nothing is.
INSTALL = """
- hosts: localhost
  gather_subset: ["!all", "!min", distribution]
  roles: [platform]
  tasks:
    - ansible.builtin.include_role: {name: common, tasks_from: slices}
    - ansible.builtin.include_role: {name: common, tasks_from: component}
      vars: {common_groups: [postgres]}
  handlers:
    - name: Restart lambda-postgres
      ansible.builtin.debug:
"""
SHOW = """
- hosts: localhost
  gather_subset: ["!all", "!min", distribution]
  roles: [platform]
  vars_files: [molecule/shared/vars/expected.yml]
  vars:
    limits: "{{ __expected_limits | split }}"
    shown: {components: "{{ components }}", slices: "{{ __expected_slices }}", limits: "{{ limits }}"}
  tasks:
    - ansible.builtin.copy:
        content: "{{ shown | to_json }}"
        dest: "{{ playbook_dir }}/shown.json"
        mode: "0600"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the table is read by."""
    for name in ("inventory", "molecule", "roles", "systemd"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "ansible.cfg", tmp_path)
    return tmp_path


def add_row(checkout: Path) -> None:
    table = checkout / "roles/platform/vars/main/components.yml"
    table.write_text(table.read_text().replace("\n  lambda-pgadmin:", NEW_ROW.rstrip() + "\n  lambda-pgadmin:"))
    checkout.joinpath("systemd/lambda-counter.service").write_text("[Service]\nExecStart=/usr/bin/true\n")


def play(checkout: Path, playbook: str, *options: str) -> str:
    checkout.joinpath("playbook.yml").write_text(playbook)
    command = ["ansible-playbook", "--inventory", "inventory/local", "playbook.yml", *options]
    environment = os.environ | {"ANSIBLE_CONFIG": str(checkout / "ansible.cfg")}
    result = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def written(checkout: Path, *options: str) -> dict[str, str]:
    """What each file would hold, of those that differ from this machine's."""
    output = play(checkout, INSTALL, "--check", "--diff", *options)
    files = re.findall(r"^\+\+\+ after: (\S+)\n(.*?)(?=^--- |^changed|^ok)", output, re.MULTILINE | re.DOTALL)
    return {name: "\n".join(line[1:] for line in text.splitlines() if line[:1] == "+") for name, text in files}


def shown(checkout: Path, *options: str) -> dict:
    play(checkout, SHOW, *options)
    return json.loads(checkout.joinpath("shown.json").read_text())


def test_every_unit_file_has_a_row_and_every_row_but_postgres_a_file() -> None:
    units = {row["unit"] for row in ROWS.values()}

    assert units >= UNIT_FILES
    assert units - UNIT_FILES == {ROWS["lambda-postgres"]["unit"]}


@pytest.mark.parametrize("name", ROWS)
def test_row_says_what_each_row_says(name: str) -> None:
    row = ROWS[name]

    assert {"unit", "group", "kind", "failure"} <= set(row)
    assert row["kind"] in {"service", "setup", "job", "timer", "path", "target"}
    assert ("slice" in row) == (row["kind"] in {"service", "setup", "job"})
    assert ("triggered_by" in row) == (row["kind"] == "job")


def test_triggers_are_rows_and_start_what_names_them() -> None:
    units = {row["unit"] for row in ROWS.values()}

    for row in ROWS.values():
        for trigger in row.get("triggered_by", []):
            text = PROJECT.joinpath("systemd", trigger).read_text()
            implied = trigger.rpartition(".")[0] == row["unit"].rpartition(".")[0] and trigger.endswith(".timer")
            assert trigger in units
            assert implied or row["unit"] in re.findall(r"^(?:Unit|OnSuccess|OnFailure)=(\S+)$", text, re.MULTILINE)


def test_readme_has_the_table() -> None:
    readme = PROJECT.joinpath("README.md").read_text()

    assert component_tables.with_table(readme) == readme


def test_readme_shows_the_status_of_each_component_with_its_limits() -> None:
    readme = PROJECT.joinpath("README.md").read_text()
    block = readme.partition("\ncomponent  ")[2].partition("\n\n")[0].splitlines()[1:]

    shown_limits = {}
    for line in block:
        # What a unit uses, its quota, and how often it was throttled; of a job that is not at work the quota alone.
        percents = re.findall(r"\d+%", line)
        shown_limits[line.split()[0]] = (percents[-2] if len(percents) > 1 else percents[0], line.split()[-2])

    sizes = {"64M": "64M", "128M": "128M", "512M": "512M", "1G": "1.0G", "2G": "2.0G", "4G": "4.0G"}
    assert shown_limits == {name: (row["cpu_quota"], sizes[row["memory_max"]]) for name, row in LIMITED.items()}


def test_new_row_is_found_in_limits_status_readme_and_expectations(checkout: Path) -> None:
    add_row(checkout)

    files, facts = written(checkout), shown(checkout)

    assert "ExecStart=/usr/bin/true" in files["/etc/systemd/system/lambda-counter.service"]
    limits = files["/etc/systemd/system/lambda-counter.service.d/10-limits.conf"]
    assert limits.splitlines()[-2:] == ["CPUQuota=50%", "MemoryMax=256M"]
    assert "MemoryMax=5376M" in files["/etc/systemd/system/lambda-data.slice.d/10-limits.conf"]
    assert "CPUQuota=1265%" in files["/etc/systemd/system/lambda.slice.d/10-limits.conf"]
    assert facts["components"]["lambda-counter"]["failure"] == "nobody counts"
    assert facts["slices"]["lambda-counter.service"] == "lambda-data.slice"
    assert {"lambda-counter.service:50:268435456", "lambda.slice:1265:15166603264"} <= set(facts["limits"])
    readme = PROJECT.joinpath("README.md").read_text()
    assert "| lambda-counter | `lambda-counter.service` |" in component_tables.with_table(readme, checkout)


def test_override_changes_one_value_and_the_sums_of_its_slices(checkout: Path) -> None:
    override = ["--extra-vars", json.dumps({"component_overrides": {"lambda-postgres": {"memory_max": "8G"}}})]

    files, facts = written(checkout, *override), shown(checkout, *override)

    postgres = facts["components"]["lambda-postgres"]
    assert postgres == ROWS["lambda-postgres"] | {"memory_max": "8G"}
    limits = files[f"/etc/systemd/system/{postgres['unit']}.d/10-limits.conf"]
    assert limits.splitlines()[-2:] == ["CPUQuota=100%", "MemoryMax=8G"]
    assert "MemoryMax=9216M" in files["/etc/systemd/system/lambda-data.slice.d/10-limits.conf"]
    assert list(facts["components"]) == list(ROWS)


def test_override_by_an_inventory_needs_no_more_than_the_value(checkout: Path) -> None:
    platform = checkout / "inventory/local/group_vars/all.yml"
    platform.write_text(platform.read_text() + "\ncomponent_overrides: {kafka: {cpu_quota: 50%}}\n")

    facts = shown(checkout)

    assert facts["components"] == ROWS | {"kafka": ROWS["kafka"] | {"cpu_quota": "50%"}}
