"""The list of hosts that the role common writes, as the programs read it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lambda_app.core.operate.hosts import Host, Hosts, parse_hosts
from tests.ansible import component_tables

PROJECT = component_tables.PROJECT
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  roles: [platform]
  vars:
    secrets_directory: "{directory}/secrets"
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - ansible.builtin.template:
        src: "{project}/roles/common/templates/hosts.json.j2"
        dest: "{directory}/{{{{ inventory_hostname }}}}.json"
        mode: "0600"
"""


def written(tmp_path: Path, inventory: Path, variables: dict[str, object]) -> dict[str, Hosts]:
    """The list of each host of an inventory."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK.format(project=PROJECT, directory=tmp_path))
    command = ["ansible-playbook", "--inventory", str(inventory), "--extra-vars", json.dumps(variables), str(playbook)]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return {path.stem: parse_hosts(path.read_bytes()) for path in tmp_path.glob("*.json")}


def test_host_of_everything_has_all_groups_and_loopback(tmp_path: Path) -> None:
    (hosts,) = written(tmp_path, PROJECT / "inventory/local", {}).values()

    groups = ("kafka", "producer", "consumer", "batch", "postgres", "pgadmin", "monitoring")
    assert list(hosts.hosts.values()) == [Host("127.0.0.1", groups)]
    assert hosts.here in hosts.hosts
    assert (hosts.prometheus_address, hosts.prometheus_tls) == ("127.0.0.1", False)


def test_each_host_of_a_split_knows_itself_and_all_others(tmp_path: Path) -> None:
    variables = {"metrics_address": "{{ inventory_hostname }}.example"}

    lists = written(tmp_path, PROJECT / "molecule/split/inventory.yml", variables)

    assert {name: hosts.here for name, hosts in lists.items()} == {name: name for name in lists}
    assert len({json.dumps(list(hosts.hosts)) for hosts in lists.values()}) == 1
    first = lists["lambda-split-first"]
    assert first.hosts["lambda-split-first"].groups == ("producer", "consumer", "batch")
    assert first.hosts["lambda-split-data"] == Host(
        "lambda-split-data.example", ("postgres", "pgadmin", "monitoring"), metrics_tls=True
    )
    assert first.prometheus_tls


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.9"])
def test_address_of_prometheus_is_that_of_its_host(address: str, tmp_path: Path) -> None:
    lists = written(tmp_path, PROJECT / "inventory/local", {"monitoring_listen_address": address})

    assert [hosts.prometheus_address for hosts in lists.values()] == [address]
