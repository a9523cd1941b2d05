"""What the role monitoring writes: targets of each inventory, numbers of the alerts, and where alerts go."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible import component_tables

PROJECT = component_tables.PROJECT
MEASURED = {name: row for name, row in component_tables.rows().items() if "metrics_port" in row}
PLAYBOOK = """
- hosts: monitoring
  connection: local
  gather_facts: false
  roles: [platform]
  vars_files: ["{project}/roles/monitoring/defaults/main.yml", "{project}/roles/monitoring/vars/main.yml"]
  vars:
    role_path: "{project}/roles/monitoring"
    secrets_directory: "{directory}/secrets"
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    texts:
      prometheus.yml: "{{{{ lookup('template', role_path ~ '/templates/prometheus.yml.j2') }}}}"
      alertmanager.yml: "{{{{ lookup('template', role_path ~ '/templates/alertmanager.yml.j2') }}}}"
      thresholds: "{{{{ __monitoring_all_thresholds | to_json }}}}"
  tasks:
    - ansible.builtin.copy: {{content: "{{{{ texts | to_json }}}}", dest: "{directory}/texts.json", mode: "0600"}}
"""


def written(tmp_path: Path, inventory: str, variables: dict[str, object]) -> dict[str, str]:
    """The text of each file, for an inventory with some variables more."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK.format(project=PROJECT, directory=tmp_path))
    command = ["ansible-playbook", "--inventory", str(PROJECT / "inventory" / inventory), str(playbook)]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    result = subprocess.run(
        [*command, "--extra-vars", json.dumps(variables)], capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return dict(json.loads(tmp_path.joinpath("texts.json").read_text()))


def targets(text: str) -> dict[str, dict[str, str]]:
    """The addresses of each job, by instance."""
    jobs = yaml.safe_load(text)["scrape_configs"]
    return {
        job["job_name"]: {each["labels"]["instance"]: each["targets"][0] for each in job["static_configs"]}
        for job in jobs
    }


def receivers(text: str) -> dict[str, dict[str, Any]]:
    return {receiver["name"]: receiver for receiver in yaml.safe_load(text)["receivers"]}


def test_one_host_has_a_target_for_each_component_with_metrics_on_loopback(tmp_path: Path) -> None:
    found = targets(written(tmp_path, "local", {})["prometheus.yml"])

    assert found == {name: {"localhost": f"127.0.0.1:{row['metrics_port']}"} for name, row in MEASURED.items()}


def test_each_host_of_a_cluster_is_asked_for_what_its_groups_have(tmp_path: Path) -> None:
    found = targets(written(tmp_path, "cluster", {})["prometheus.yml"])

    assert found["kafka"] == {"stream-1": "192.0.2.11:9404"}
    assert found["lambda-postgres-exporter"] == {"data-1": "192.0.2.12:9187"}
    assert found["lambda-node-exporter"] == {
        "stream-1": "192.0.2.11:9100",
        "data-1": "192.0.2.12:9100",
        "app-1": "192.0.2.13:9100",
        "app-2": "192.0.2.14:9100",
    }
    # Beside Prometheus, by loopback.
    assert found["lambda-alertmanager"] == {"app-1": "127.0.0.1:9095"}


@pytest.mark.parametrize(
    ("inventory", "variables", "encrypted"),
    [
        ("local", {}, set()),
        ("cluster", {"platform_tls": False}, set()),
        # Prometheus and Alertmanager are asked by loopback.
        ("cluster", {}, set(MEASURED) - {"lambda-prometheus", "lambda-alertmanager"}),
        ("cluster", {"monitoring_listen_address": "0.0.0.0"}, set(MEASURED) - {"lambda-alertmanager"}),
    ],
)
def test_what_leaves_loopback_is_asked_by_tls(
    inventory: str, variables: dict[str, object], encrypted: set[str], tmp_path: Path
) -> None:
    jobs = yaml.safe_load(written(tmp_path, inventory, variables)["prometheus.yml"])["scrape_configs"]

    schemes = {job["job_name"]: {each["labels"].get("__scheme__") for each in job["static_configs"]} for job in jobs}
    assert {name for name, each in schemes.items() if each == {"https"}} == encrypted
    assert {name for name, each in schemes.items() if each == {None}} == set(MEASURED) - encrypted
    trusted = {"ca_file": "/etc/lambda/ca.pem"}
    assert all(job.get("tls_config") == trusted for job in jobs if job["job_name"] in encrypted)


def test_alerts_go_to_the_journal_alone_by_default(tmp_path: Path) -> None:
    found = receivers(written(tmp_path, "local", {})["alertmanager.yml"])

    assert [each["url"] for each in found["people"]["webhook_configs"]] == ["http://127.0.0.1:9113/"]
    assert "email_configs" not in found["people"]
    assert found["dead man"] == {"name": "dead man"}


def test_alerts_go_where_the_inventory_says_too(tmp_path: Path) -> None:
    variables = {
        "monitoring_webhook_urls": ["https://chat.example.org/hook?a=1&b='2'"],
        "monitoring_mail_to": ["one@example.org", "two@example.org"],
        "monitoring_mail_from": "lambda@example.org",
        "monitoring_mail_server": "mail.example.org:587",
        "monitoring_mail_user": "lambda",
        "monitoring_mail_password": 'pass "word": #1',
        "monitoring_dead_man_url": "https://watch.example.org/ping",
    }

    found = receivers(written(tmp_path, "local", variables)["alertmanager.yml"])

    assert found["people"]["webhook_configs"][1]["url"] == "https://chat.example.org/hook?a=1&b='2'"
    mail = found["people"]["email_configs"][0]
    assert (mail["to"], mail["smarthost"]) == ("one@example.org, two@example.org", "mail.example.org:587")
    assert (mail["auth_password"], mail["require_tls"]) == ('pass "word": #1', True)
    assert found["dead man"]["webhook_configs"][0]["url"] == "https://watch.example.org/ping"


def test_inventory_changes_single_numbers_of_alerts(tmp_path: Path) -> None:
    variables = {
        "monitoring_thresholds": {"disk_free_ratio": 0.2},
        "monitoring_external_url": "https://watch.example.org/",
    }

    found = json.loads(written(tmp_path, "local", variables)["thresholds"])

    defaults = yaml.safe_load(PROJECT.joinpath("monitoring/thresholds.yml").read_text())
    changed = {"disk_free_ratio": 0.2, "runbook": "https://watch.example.org/user/runbook.html"}
    assert found == defaults | changed


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with ./platform test")
@pytest.mark.parametrize("inventory", ["local", "cluster"])
def test_prometheus_takes_what_is_written(tmp_path: Path, inventory: str) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(written(tmp_path, inventory, {})["prometheus.yml"])

    result = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
