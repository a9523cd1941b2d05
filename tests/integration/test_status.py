"""`lambda-app status` against real servers, with a systemctl that says what the test wants."""

import json
import os
from pathlib import Path

import pytest
from conftest import Database
from program import run_program
from servers import KafkaServer

from lambda_app.core.health import COMPONENTS

LONG_RUNNING = "ActiveState=active\nSubState=running\n"
RESTING = "ActiveState=inactive\nSubState=dead\n"


class Systemctl:
    """A program on the PATH that prints what it is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        program = directory / "systemctl"
        program.write_text(f"#!/bin/sh\ncat {directory}/shown\n", encoding="utf-8")
        program.chmod(0o755)
        resting = {"lambda-cron-runner.service", "lambda-csv-batch.service"}
        units = [component.unit for component in COMPONENTS]
        self.states = {unit: RESTING if unit in resting else LONG_RUNNING for unit in units}
        self.states["lambda-cron-runner.timer"] = "ActiveState=active\nSubState=waiting\n"
        self.states["lambda-inbox.path"] = "ActiveState=active\nSubState=waiting\n"
        self.show()

    def show(self, **states: str) -> None:
        common = "LoadState=loaded\nResult=success\nMemoryCurrent=104857600\nMemoryMax=2147483648\n"
        cpu = "CPUUsageNSec=5000000000\nCPUQuotaPerSecUSec=250ms\n"
        text = "\n".join(f"Id={unit}\n{common}{cpu}{state}" for unit, state in (self.states | states).items())
        (self.directory / "shown").write_text(text, encoding="utf-8")


@pytest.fixture
def systemctl(tmp_path: Path) -> Systemctl:
    return Systemctl(tmp_path)


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, systemctl: Systemctl) -> dict[str, str]:
    return {
        **database.environment,
        "PATH": f"{systemctl.directory}:{os.environ['PATH']}",
        "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LAMBDA_KAFKA_TOPIC": topic,
    }


@pytest.fixture
def stored(database: Database, kafka: KafkaServer, topic: str) -> None:
    """Twelve messages, of which the consumer has stored ten."""
    kafka.produce(topic, [b"{}"] * 12)
    database.query(
        "INSERT INTO lambda.stream_offsets (topic, partition, next_offset, stored_count)"
        f" VALUES ('{topic}', 0, 3, 3), ('{topic}', 1, 3, 3), ('{topic}', 2, 3, 3), ('{topic}', 3, 1, 1)"
    )
    database.query("SELECT lambda.ensure_partition(current_date), lambda.ensure_partition(current_date - 1)")
    database.query(
        "INSERT INTO lambda.transactions"
        " (transaction_id, account_id, transaction_type, amount, event_time, ingestion_type)"
        " VALUES ('T1', 'A1', 'purchase', 1, now() - interval '2 s', 'STREAM')"
    )


def test_healthy_platform_exits_0(environment, stored):
    result = run_program(environment, "status")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "healthy" in result.stdout
    assert "lag 2 records" in result.stdout
    assert all(component.name in result.stdout for component in COMPONENTS)


def test_json_holds_the_same_facts(environment, database, stored):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, attempts, rows_loaded)"
        " VALUES ('2026-11-23', 'generated', 'completed', 1, 10000)"
    )

    document = json.loads(run_program(environment, "status", "--json").stdout)

    assert document["healthy"] is True
    assert document["components"]["kafka"]["memory_limit_bytes"] == 2 * 2**30
    assert document["components"]["kafka"]["cpu_limit_share"] == 0.25
    assert document["stream"]["lag_records"] == 2
    assert 2 <= document["stream"]["newest_age_seconds"] < 60
    assert document["last_job"]["rows_loaded"] == 10_000


def test_each_fault_is_a_reason_and_exits_1(environment, database, systemctl, stored):
    systemctl.show(**{"lambda-consumer.service": "ActiveState=failed\nSubState=failed\nResult=watchdog\n"})
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, error)"
        " VALUES ('2026-11-23', 'generated', 'failed', 'disk full')"
    )

    result = run_program(environment, "status", "--json")

    assert result.returncode == 1
    assert json.loads(result.stdout)["reasons"] == [
        "lambda-consumer is failed (failed), not active (result: watchdog)",
        "BAT00001 for 2026-11-23 was given up (disk full): lambda-app batch schedule --date 2026-11-23 retries it",
    ]


def test_servers_that_do_not_answer_are_named(environment, tmp_path):
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text("[lambda-reader]\nhost=127.0.0.1\nport=1\ndbname=lambda\n", encoding="utf-8")
    nowhere = {"PGSERVICEFILE": str(service_file), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}

    result = run_program({**environment, **nowhere}, "status", "--json")

    assert result.returncode == 1
    reasons = json.loads(result.stdout)["reasons"]
    assert "Kafka is away" in reasons[0]
    assert "PostgreSQL is away" in reasons[1]
