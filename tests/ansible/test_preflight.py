"""Preflight refuses a wrong inventory with one sentence that names what is wrong, before anything is changed."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
LIMITS = yaml.safe_load(PROJECT.joinpath("inventory/group_vars/all/limits.yml").read_text())["component_limits"]
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: "{{ item[0] }}", tasks_from: "{{ item[1] }}"}
      loop: [[preflight, inventory], [kafka, preflight], [lambda_app, preflight], [pgadmin, preflight]]
"""


def limits(component: str, **limit: str) -> dict[str, object]:
    return {"component_limits": LIMITS | {component: LIMITS.get(component, {}) | limit}}


def run(tmp_path: Path, variables: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Runs what looks at the inventory alone, on this machine, which it does not touch."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    command = ["ansible-playbook", "--inventory", str(PROJECT / "inventory/local.yml"), str(playbook)]
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
            limits("kafka", cpu_quota="4 cores"),
            "component_limits.kafka is {'cpu_quota': '4 cores', 'memory_max': '2G'}: cpu_quota must be",
        ),
        (limits("lambda-csv-batch", memory_max="1 gig"), "component_limits.lambda-csv-batch is"),
        (limits("kafka", cpu_quota="0%"), "component_limits.kafka is"),
        (
            limits("zookeeper", cpu_quota="10%", memory_max="1G"),
            "component_limits.zookeeper is unknown: the components are kafka,",
        ),
        ({"component_limits": {k: v for k, v in LIMITS.items() if k != "kafka"}}, "component_limits.kafka is missing"),
        (
            {"pgadmin_port": 9092},
            "kafka_port, kafka_controller_port, postgres_port and pgadmin_port are 9092, 9093, 5432, 9092",
        ),
        ({"pgadmin_port": 99999}, "they must be four different numbers from 1 to 65535"),
        ({"pgadmin_login_email": "admin"}, "pgadmin_login_email is 'admin': it must be an e-mail address."),
        ({"kafka_heap_size": "2G"}, "kafka_heap_size (2G) and the 640M that Kafka needs beside it exceed MemoryMax"),
        ({"lambda_app_consume_workers": 13}, "lambda_app_consume_workers is 13: it must be from 1 to"),
        ({"transactions_retention_days": 0}, "transactions_retention_days is 0: it must be 1 or more days, or empty"),
        ({"transactions_retention_days": "ten"}, "transactions_retention_days is ten: it must be 1 or more days"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_preflight_refuses_by_name(tmp_path: Path, variables: dict[str, object], sentence: str) -> None:
    result = run(tmp_path, variables)

    assert result.returncode == 2
    assert sentence in " ".join((result.stdout + result.stderr).split())
