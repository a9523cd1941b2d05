"""A host has the units and credentials of its groups and no others."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.ansible import component_tables

PROJECT = component_tables.PROJECT
LEAVE = PROJECT / "roles/lambda_app/files/leave"
HOSTS = {
    "everything": ["kafka", "postgres", "pgadmin", "producer", "consumer", "batch"],
    "stream": ["kafka"],
    "data": ["postgres", "pgadmin"],
    "first": ["consumer", "producer", "batch"],
    "second": ["consumer"],
    "sender": ["producer"],
}
BATCH_UNITS = {
    "lambda-cron-runner.service",
    "lambda-cron-runner.timer",
    "lambda-csv-batch.service",
    "lambda-db-maintenance.service",
    "lambda-db-setup.service",
    "lambda-inbox.path",
    "lambda-verify.service",
    "lambda-verify.timer",
}
# Of the programs: their units, which of them the playbook starts, and their credentials.
EXPECTED = {
    "everything": (
        {"lambda-consumer.service", "lambda-producer.service"} | BATCH_UNITS,
        {"kafka-consumer", "kafka-producer", "pgpass-batch", "pgpass-owner", "pgpass-reader", "pgpass-stream"},
    ),
    "stream": (set(), set()),
    "data": (set(), set()),
    "first": (
        {"lambda-consumer.service", "lambda-producer.service"} | BATCH_UNITS,
        {"kafka-consumer", "kafka-producer", "pgpass-batch", "pgpass-owner", "pgpass-reader", "pgpass-stream"},
    ),
    "second": ({"lambda-consumer.service"}, {"kafka-consumer", "pgpass-stream"}),
    "sender": ({"lambda-producer.service"}, {"kafka-producer"}),
}
PLAYBOOK = """
- hosts: all
  gather_subset: ["!all", "!min", distribution]
  roles: [platform]
  vars:
    common_credentials: []
    common_groups: "{{ __lambda_app_groups }}"
    role_path: "{{ project }}/roles/common"
    shown:
      units: "{{ __lambda_app_rows | map(attribute='unit') }}"
      elsewhere: "{{ __lambda_app_rows_elsewhere | map(attribute='unit') }}"
      credentials: "{{ __common_named }}"
      credentials_elsewhere: "{{ __lambda_app_credentials_elsewhere }}"
  vars_files: ["{{ project }}/roles/common/vars/main.yml", "{{ project }}/roles/lambda_app/vars/main.yml"]
  tasks:
    - ansible.builtin.copy:
        content: "{{ shown | to_json }}"
        dest: "{{ playbook_dir }}/{{ inventory_hostname }}.json"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """What the roles make of each host's groups."""
    directory = tmp_path_factory.mktemp("groups")
    groups = {group: [host for host in HOSTS if group in HOSTS[host]] for group in HOSTS["everything"]}
    inventory = {
        "hosts": {host: {"ansible_connection": "local"} for host in HOSTS},
        "children": {group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()},
        "vars": {"project": str(PROJECT)},
    }
    directory.joinpath("hosts.yml").write_text(json.dumps({"all": inventory}))
    directory.joinpath("playbook.yml").write_text(PLAYBOOK)
    subprocess.run(
        ["ansible-playbook", "--inventory", "hosts.yml", "playbook.yml"],
        cwd=directory,
        env=os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        check=True,
        capture_output=True,
    )
    files = {host: json.loads(directory.joinpath(f"{host}.json").read_text()) for host in HOSTS}
    return {host: {name: set(values) for name, values in file.items()} for host, file in files.items()}


@pytest.mark.parametrize("host", HOSTS)
def test_host_has_the_units_and_credentials_of_its_groups(host: str, shown: dict[str, dict[str, set[str]]]) -> None:
    assert (shown[host]["units"], shown[host]["credentials"]) == EXPECTED[host]


@pytest.mark.parametrize("host", HOSTS)
def test_host_gives_up_what_it_has_not(host: str, shown: dict[str, dict[str, set[str]]]) -> None:
    units, credentials = EXPECTED["everything"]
    # Root and pgAdmin there are the reader.
    kept = {"pgpass-reader"} if host == "data" else set()

    assert shown[host]["elsewhere"] == units - EXPECTED[host][0]
    assert shown[host]["credentials_elsewhere"] == credentials - EXPECTED[host][1] - kept


def test_the_owners_password_is_on_the_host_of_the_batch_alone() -> None:
    owners = [host for host, (_, credentials) in EXPECTED.items() if "pgpass-owner" in credentials]

    assert [host for host in owners if "batch" not in HOSTS[host]] == []


def test_units_and_credentials_of_a_group_that_was_left_are_removed(tmp_path: Path) -> None:
    units, credentials = tmp_path / "etc/systemd/system", tmp_path / "etc/lambda/credentials"
    for path in (
        units / "lambda-producer.service",
        units / "lambda-producer.service.d/10-limits.conf",
        units / "lambda-verify.timer",
        units / "lambda-verify.timer.d/50-local.conf",
        units / "lambda-consumer.service",
        credentials / "kafka-producer",
        credentials / "kafka-consumer",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/called\n')
    systemctl.chmod(0o755)
    environment = os.environ | {"ROOT": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [LEAVE, "lambda-producer.service lambda-verify.timer lambda-inbox.path", "kafka-producer pgpass-owner"]

    first, second = (
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout for _ in range(2)
    )

    assert first.split() == ["lambda-producer.service", "lambda-verify.timer", "kafka-producer"]
    assert second == ""
    left = sorted(
        str(path.relative_to(tmp_path / "etc")) for path in tmp_path.joinpath("etc").rglob("*") if path.is_file()
    )
    assert left == [
        "lambda/credentials/kafka-consumer",
        "systemd/system/lambda-consumer.service",
        "systemd/system/lambda-verify.timer.d/50-local.conf",
    ]
    assert tmp_path.joinpath("called").read_text().splitlines() == [
        "--quiet disable --now lambda-producer.service",
        "--quiet disable --now lambda-verify.timer",
        "daemon-reload",
    ]
