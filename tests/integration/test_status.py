"""`lambda-app status` against real servers, with a systemctl that says what the test wants."""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lambda_app.core.batch.inbox_entries import left_waiting
from lambda_app.host.clock import SystemClock
from lambda_app.operate.status import gather_facts
from lambda_app.settings import Settings
from tests.support import components
from tests.support.fixtures import Database
from tests.support.http_server import hanging
from tests.support.kafka_server import KafkaServer
from tests.support.processes import free_port
from tests.support.program import run_program
from tests.support.systemctl import RESTING, Systemctl


@pytest.fixture
def systemctl(tmp_path: Path) -> Systemctl:
    (tmp_path / "components.json").write_text(components.JSON, encoding="utf-8")
    return Systemctl(tmp_path)


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, systemctl: Systemctl) -> dict[str, str]:
    return {
        **database.environment,
        "PATH": f"{systemctl.directory}:{os.environ['PATH']}",
        **kafka.environment(topic),
        "LAMBDA_COMPONENTS_FILE": str(systemctl.directory / "components.json"),
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
    assert all(row.name in result.stdout for row in components.TABLE if row.cpu_quota)


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


def test_newest_row_is_found_after_days_of_silence(environment, database, stored):
    database.query("SELECT lambda.ensure_partition(current_date - 3)")
    database.query("UPDATE lambda.transactions SET event_time = event_time - interval '3 days'")

    document = json.loads(run_program(environment, "status", "--json").stdout)

    assert 3 * 86400 < document["stream"]["newest_age_seconds"] < 3 * 86400 + 60


def test_each_fault_is_a_reason_and_exits_1(environment, database, systemctl, stored):
    systemctl.show(**{"lambda-consumer.service": "ActiveState=failed\nSubState=failed\nResult=watchdog\n"})
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, error)"
        " VALUES ('2026-11-23', 'generated', 'failed', 'disk full')"
    )

    result = run_program(environment, "status", "--json")

    assert result.returncode == 1
    assert json.loads(result.stdout)["reasons"] == [
        "lambda-consumer is failed (failed), not active (result: watchdog): messages wait in Kafka",
        "BAT00001 for 2026-11-23 was given up (disk full): lambda-app batch schedule --date 2026-11-23 retries it",
    ]


@pytest.mark.parametrize(
    ("unit", "state", "reason"),
    [
        ("lambda-verify.service", "ActiveState=failed\nSubState=failed\nResult=exit-code\n", "lambda-verify failed"),
        ("lambda-verify.timer", RESTING, "lambda-verify.timer is not active"),
        ("lambda.target", RESTING, "lambda.target is inactive although"),
    ],
)
def test_what_has_no_row_in_the_table_counts(unit, state, reason, environment, systemctl, stored):
    systemctl.show(**{unit: state})

    result = run_program(environment, "status")

    assert result.returncode == 1
    assert f"degraded: {reason}" in result.stdout


# The jobs of files, in the order of their ids: name, status, and how many minutes ago it ended.
@pytest.mark.parametrize(
    ("jobs", "failed"),
    [
        # Broken, mended, and the same broken content again: the first job has got new attempts.
        ([("x.csv", "failed", 1), ("x.csv", "completed", 2)], ["BAT00001"]),
        ([("x.csv", "failed", 2), ("x.csv", "completed", 1)], []),
        ([("x.csv", "completed", 2), ("x.csv", "failed", 1)], ["BAT00002"]),
        # Broken in two ways, then mended.
        ([("x.csv", "failed", 3), ("x.csv", "failed", 2), ("x.csv", "completed", 1)], []),
        ([("x.csv", "failed", 3), ("x.csv", "failed", 1), ("x.csv", "completed", 2)], ["BAT00002"]),
        # Given new attempts at this moment, by people who put it there again.
        ([("x.csv", "pending", None), ("x.csv", "completed", 2)], []),
        # Another file says nothing of this one.
        ([("x.csv", "failed", 2), ("y.csv", "completed", 1)], ["BAT00001"]),
        ([("x.csv", "failed", 2), ("x.csv", "pending", None)], ["BAT00001"]),
        # Never tried, since it could not be taken.
        ([("x.csv", "failed", None)], ["BAT00001"]),
        ([("x.csv", "failed", 8 * 24 * 60)], []),
    ],
)
def test_newest_failure_of_a_file_counts(jobs, failed, environment, database, stored):
    for number, (name, status, minutes) in enumerate(jobs):
        database.query(
            "INSERT INTO lambda.batch_jobs (business_date, source, status, file, content_hash, finished_at) VALUES"
            f" ('2026-11-23', 'inbox', '{status}', '{name}', '{number}', now() - interval '{minutes or 0} min')"
            if minutes is not None
            else "INSERT INTO lambda.batch_jobs (business_date, source, status, file, content_hash)"
            f" VALUES ('2026-11-23', 'inbox', '{status}', '{name}', '{number}')"
        )

    result = run_program(environment, "status", "--json")

    assert [job["job_id"] for job in json.loads(result.stdout)["failed_jobs"]] == failed
    assert result.returncode == (1 if failed else 0)


@pytest.mark.parametrize(("status", "failed"), [("failed", 1), ("pending", 0), ("running", 0), ("completed", 0)])
def test_night_is_forgiven_when_it_is_scheduled_again(status, failed, environment, database, stored):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, finished_at)"
        f" VALUES ('2026-11-22', 'generated', '{status}', now()), ('2026-11-23', 'generated', 'completed', now())"
    )

    document = json.loads(run_program(environment, "status", "--json").stdout)

    assert len(document["failed_jobs"]) == failed


def test_what_nobody_takes_from_the_inbox_is_a_reason(environment, stored, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("a.txt", ".b.csv", "new.part", "c.csv"):
        inbox.joinpath(name).touch()
    inbox.joinpath("d").mkdir()
    for name in ("a.txt", ".b.csv", "d", "c.csv"):
        os.utime(inbox / name, (0, 0))

    result = run_program({**environment, "STATE_DIRECTORY": str(tmp_path)}, "status", "--json")

    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["inbox"] == {"not_taken": ["a.txt", "d", "new.part"], "waiting": []}
    assert document["reasons"] == [
        "2 entries in the inbox are not taken: a.txt, d (rename them to *.csv or *.csv.gz, or remove them)"
    ]


def test_input_that_is_left_in_the_inbox_is_a_reason(environment, stored, tmp_path, monkeypatch):
    class TenMinutesLater(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(minutes=10)

    for name, value in environment.items() | {("STATE_DIRECTORY", str(tmp_path))}:
        monkeypatch.setenv(name, value)
    tmp_path.joinpath("inbox").mkdir()
    tmp_path.joinpath("inbox", "a.csv").touch()

    config = Settings(environment["LAMBDA_KAFKA_BOOTSTRAP_SERVERS"], environment["LAMBDA_KAFKA_TOPIC"])
    now, later = (gather_facts(config, clock, components.TABLE) for clock in (SystemClock(), TenMinutesLater()))

    assert (left_waiting(now.inbox), len(left_waiting(later.inbox))) == ([], 1)


def test_inbox_that_cannot_be_read_is_said(environment, stored, tmp_path):
    tmp_path.joinpath("inbox").touch()

    result = run_program({**environment, "STATE_DIRECTORY": str(tmp_path)}, "status")

    assert result.returncode == 1
    assert "degraded: the inbox cannot be read: [Errno 20] Not a directory" in result.stdout


def test_servers_that_do_not_answer_are_named(environment, tmp_path):
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text("[lambda-reader]\nhost=127.0.0.1\nport=1\ndbname=lambda\n", encoding="utf-8")
    nowhere = {"PGSERVICEFILE": str(service_file), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}

    result = run_program({**environment, **nowhere}, "status", "--json")

    assert result.returncode == 1
    reasons = json.loads(result.stdout)["reasons"]
    assert "Kafka is away" in reasons[0]
    assert "PostgreSQL is away" in reasons[1]


def test_servers_that_hang_are_named_within_5_seconds(environment, tmp_path):
    port = free_port()
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text(f"[lambda-reader]\nhost=127.0.0.1\nport={port}\ndbname=lambda\n", encoding="utf-8")
    nowhere = {"PGSERVICEFILE": str(service_file), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}

    with hanging("127.0.0.1", port):
        start = time.monotonic()
        result = run_program({**environment, **nowhere}, "status", "--json")
        seconds = time.monotonic() - start

    assert (result.returncode, result.stderr) == (1, "")
    assert [reason.split(":")[0] for reason in json.loads(result.stdout)["reasons"]] == [
        "Kafka is away",
        "PostgreSQL is away",
    ]
    assert seconds < 5


def test_host_without_the_readers_password_shows_its_units_alone(environment, systemctl, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "kafka-producer").write_text("secret")
    changes = {"CREDENTIALS_DIRECTORY": str(credentials), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}

    result = run_program({**environment, **changes}, "status")

    assert (result.returncode, result.stderr) == (0, "")
    assert "stream    shown on the host of the batch" in result.stdout
    systemctl.show(**{"lambda-producer.service": "ActiveState=failed\nSubState=failed\n"})
    assert run_program({**environment, **changes}, "status").returncode == 1


def test_without_the_table_it_says_who_writes_it(environment):
    result = run_program({**environment, "LAMBDA_COMPONENTS_FILE": "/nonexistent/components.json"}, "status")

    assert result.returncode == 78
    assert "/nonexistent/components.json" in result.stderr
    assert result.stderr.rstrip().endswith("the playbook writes it")
