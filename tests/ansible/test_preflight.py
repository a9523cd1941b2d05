"""Preflight refuses a wrong inventory with one sentence that names what is wrong, before anything is changed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PLAYBOOK = """
- hosts: all
  gather_subset: ["!all", "!min", distribution]
  roles: [platform]
  tasks:
    - ansible.builtin.include_role: {name: preflight, tasks_from: inventory, public: true}
    - ansible.builtin.include_role: {name: "{{ item }}", tasks_from: preflight}
      loop: [kafka, lambda_app, pgadmin, monitoring]
      when: item in __preflight_roles
"""


def override(component: str, **limit: object) -> dict[str, object]:
    return {"component_overrides": {component: limit}}


def run(
    tmp_path: Path, variables: dict[str, object], inventory: Path = PROJECT / "inventory/local"
) -> subprocess.CompletedProcess[str]:
    """Runs what looks at the inventory alone, on this machine, which it does not touch."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    command = ["ansible-playbook", "--inventory", str(inventory), str(playbook)]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    return subprocess.run(
        [*command, "--extra-vars", json.dumps(variables)], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize("variables", [{}, {"transactions_retention_days": ""}, {"transactions_retention_days": 1}])
def test_preflight_takes_the_inventory_as_it_is(tmp_path: Path, variables: dict[str, object]) -> None:
    result = run(tmp_path, variables)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            override("kafka", cpu_quota="4 cores"),
            "The limits of kafka are 4 cores and 2G: cpu_quota must be a percentage such as 400% and memory_max a size",
        ),
        (override("lambda-csv-batch", memory_max="1 gig"), "The limits of lambda-csv-batch are 25% and 1 gig"),
        (override("kafka", cpu_quota="0%"), "The limits of kafka are 0% and 2G"),
        # A helper that gets one limit needs the other.
        (override("lambda-verify", memory_max="1G"), "The limits of lambda-verify are none and 1G"),
        (
            override("zookeeper", cpu_quota="10%"),
            "component_overrides.zookeeper is {'cpu_quota': '10%'}: an inventory may set cpu_quota, memory_max",
        ),
        (
            override("kafka", unit="other.service"),
            "component_overrides.kafka is {'unit': 'other.service'}: an inventory",
        ),
        (
            {"pgadmin_port": 9092},
            "and each metrics_port of the components are 9092, 9093, 5432, 9092",
        ),
        (override("lambda-node-exporter", metrics_port=9404), "9404, 9112, 9111, 9404"),
        ({"pgadmin_port": 99999}, "they must be different numbers from 1 to 65535"),
        ({"pgadmin_login_email": "admin"}, "pgadmin_login_email is 'admin': it must be an e-mail address."),
        ({"kafka_heap_size": "2G"}, "kafka_heap_size (2G) and the 640M that Kafka needs beside it exceed MemoryMax"),
        (
            {"lambda_app_consume_workers": 13},
            "lambda_app_consume_workers is 13 on 1 hosts: it must be 1 or more, and together",
        ),
        ({"monitoring_thresholds": {"disk_free": 0.2}}, "monitoring_thresholds has disk_free: an inventory may set"),
        (
            {"monitoring_retention_size": "2G"},
            "monitoring_retention_size is '2G': it must be a number and MB, GB or TB",
        ),
        ({"monitoring_mail_to": ["me@example.org"]}, "monitoring_mail_to needs monitoring_mail_from, and"),
        ({"transactions_retention_days": 0}, "transactions_retention_days is 0: it must be 1 or more days, or empty"),
        ({"transactions_retention_days": "ten"}, "transactions_retention_days is ten: it must be 1 or more days"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_preflight_refuses_by_name(tmp_path: Path, variables: dict[str, object], sentence: str) -> None:
    result = run(tmp_path, variables)

    assert result.returncode == 2
    assert sentence in " ".join((result.stdout + result.stderr).split())


def inventory_of(tmp_path: Path, groups: dict[str, list[str]]) -> Path:
    everyone = {key: {"ansible_connection": "local"} for key in (host for hosts in groups.values() for host in hosts)}
    children = {group: {"hosts": {key: {} for key in hosts}} for group, hosts in groups.items()}
    path = tmp_path / "hosts.yml"
    path.write_text(json.dumps({"all": {"hosts": everyone, "children": children}}))
    return path


SPLIT = {
    "kafka": ["localhost"],
    "postgres": ["two"],
    "producer": ["three"],
    "consumer": ["three", "four"],
    "batch": ["three"],
}


def test_preflight_takes_programs_on_several_hosts_and_no_pgadmin(tmp_path: Path) -> None:
    result = run(tmp_path, {}, inventory_of(tmp_path, SPLIT))

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("groups", "variables", "sentence"),
    [
        (
            {"batch": ["three", "four"]},
            {},
            "The group batch has 2 hosts: it must have exactly one, since each has timers,",
        ),
        ({"batch": []}, {}, "The group batch has 0 hosts: it must have exactly one"),
        ({"consumer": []}, {}, "The group consumer has 0 hosts: it must have one or more."),
        ({"kafka": ["localhost", "two"]}, {}, "The group kafka has 2 hosts: it must have exactly one."),
        ({"pgadmin": ["two", "four"]}, {}, "The group pgadmin has 2 hosts: it must have one at most."),
        ({"lambda_app": ["three"]}, {}, "The group lambda_app is no more. Put its hosts into consumer and producer,"),
        (
            {},
            {"lambda_app_consume_workers": 7},
            "lambda_app_consume_workers is 7 on 2 hosts: it must be 1 or more, and",
        ),
        ({"consumer": ["localhost", "a host"]}, {}, "The host a host must be named by 1 to 240 letters, digits,"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_preflight_refuses_groups_by_name(
    tmp_path: Path, groups: dict[str, list[str]], variables: dict[str, object], sentence: str
) -> None:
    result = run(tmp_path, variables, inventory_of(tmp_path, SPLIT | groups))

    assert result.returncode == 2
    assert sentence in " ".join((result.stdout + result.stderr).split())
