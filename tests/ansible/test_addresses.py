"""What ./platform up prints at its end follows the inventory."""

# ruff: noqa: E501 (what is printed stands on one line)

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def addresses(tmp_path: Path, inventory: str, variables: dict[str, object]) -> list[str]:
    """The lines of .cache/addresses of a checkout of its own."""
    for name in ("inventory", "playbooks", "roles"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "ansible.cfg", tmp_path)
    tmp_path.joinpath(".cache").mkdir()
    command = ["ansible-playbook", "-i", f"inventory/{inventory}", "playbooks/addresses.yml"]
    subprocess.run(
        [*command, "--extra-vars", json.dumps(variables)],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        env=os.environ | {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")},
    )
    return [" ".join(line.split()) for line in tmp_path.joinpath(".cache/addresses").read_text().splitlines()]


@pytest.mark.parametrize(
    ("inventory", "variables", "expected"),
    [
        # As it is.
        (
            "local",
            {},
            [
                "pgAdmin http://localhost:8080 log in as admin@example.com with the password in .secrets/local/pgadmin-login",
                "Page http://localhost:9090/user/ what runs, how late rows are, which alerts fire",
                "PostgreSQL localhost:5432 database lambda, user lambda_reader, password in .secrets/local/postgres-reader",
                "Kafka localhost:9092 topic transactions, SCRAM-SHA-512, passwords in .secrets/local/kafka-*",
            ],
        ),
        # Other ports, another login, another database and topic, other secrets.
        (
            "local",
            {
                "pgadmin_port": 8081,
                "pgadmin_login_email": "me@example.org",
                "postgres_port": 5433,
                "postgres_database": "bank",
                "kafka_port": 9094,
                "kafka_topic": "payments",
                "secrets_directory": "/srv/secrets",
            },
            [
                "pgAdmin http://localhost:8081 log in as me@example.org with the password in /srv/secrets/pgadmin-login",
                "Page http://localhost:9090/user/ what runs, how late rows are, which alerts fire",
                "PostgreSQL localhost:5433 database bank, user lambda_reader, password in /srv/secrets/postgres-reader",
                "Kafka localhost:9094 topic payments, SCRAM-SHA-512, passwords in /srv/secrets/kafka-*",
            ],
        ),
        # The throw-away host's ports are published under others.
        (
            "sandbox",
            {"sandbox_published_ports": ["18080:8080", "15432:5432", "19090:9090"]},
            [
                "pgAdmin http://localhost:18080 log in as admin@example.com with the password in .secrets/sandbox/pgadmin-login",
                "Page http://localhost:19090/user/ what runs, how late rows are, which alerts fire",
                "PostgreSQL localhost:15432 database lambda, user lambda_reader, password in .secrets/sandbox/postgres-reader",
                "Kafka localhost:9092 topic transactions, SCRAM-SHA-512, passwords in .secrets/sandbox/kafka-*",
            ],
        ),
        # Several hosts.
        (
            "cluster",
            {"pgadmin_listen_address": "0.0.0.0"},
            [
                "Kafka 192.0.2.11:9092 topic transactions, SCRAM-SHA-512 over TLS, passwords in .secrets/cluster/kafka-*",
                "pgAdmin https://192.0.2.12:8080 log in as admin@example.com with the password in .secrets/cluster/pgadmin-login",
                "PostgreSQL 192.0.2.12:5432 database lambda, user lambda_reader, password in .secrets/cluster/postgres-reader",
                "Page http://localhost:9090/user/ what runs, how late rows are, which alerts fire",
            ],
        ),
    ],
    ids=["as it is", "changed", "published", "cluster"],
)
def test_addresses_are_those_of_the_inventory(
    tmp_path: Path, inventory: str, variables: dict[str, object], expected: list[str]
) -> None:
    assert addresses(tmp_path, inventory, variables) == expected
