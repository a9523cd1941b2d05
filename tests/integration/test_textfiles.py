"""What the jobs leave for the node exporter when they end, as their units start them."""

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.processes import free_port
from tests.support.program import run_program


def left(directory: Path) -> dict[str, float]:
    """The values of all files, by name."""
    text = "".join(path.read_text(encoding="utf-8") for path in directory.glob("*.prom"))
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "metrics").mkdir()
    return tmp_path / "metrics"


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, tmp_path: Path, directory: Path) -> dict[str, str]:
    places = {"STATE_DIRECTORY": str(tmp_path / "batch"), "LAMBDA_METRICS_DIRECTORY": str(directory)}
    (tmp_path / "batch").mkdir()
    return {**database.environment, **kafka.environment(topic), **places}


@pytest.mark.parametrize(
    ("component", "command"),
    [
        ("lambda-cron-runner", ["batch", "schedule"]),
        ("lambda-csv-batch", ["batch", "run"]),
        ("lambda-db-maintenance", ["db", "maintain"]),
        ("lambda-verify", ["verify"]),
    ],
)
def test_run_leaves_when_it_ended_and_how(
    environment: dict[str, str], directory: Path, component: str, command: list[str]
) -> None:
    result = run_program({**environment, "LAMBDA_COMPONENT": component}, *command)

    assert result.returncode == 0, result.stderr
    assert (directory / f"run-{component}.prom").exists()
    values = left(directory)
    assert abs(values["lambda_run_timestamp_seconds"] - time.time()) < 60
    assert 0 < values["lambda_run_duration_seconds"] < 60
    assert values["lambda_run_exit_status"] == 0


def test_batch_leaves_what_it_recomputed(environment: dict[str, str], directory: Path) -> None:
    for step in ("schedule", "run"):
        assert run_program(environment, "batch", step).returncode == 0

    values = left(directory)
    assert values["lambda_recompute_days"] == 1
    assert values["lambda_recompute_duration_seconds"] > 0
    assert abs(values["lambda_recompute_timestamp_seconds"] - time.time()) < 60


def test_audit_leaves_its_differences(environment: dict[str, str], directory: Path, database: Database) -> None:
    for step in ("schedule", "run"):
        assert run_program(environment, "batch", step).returncode == 0
    assert run_program(environment, "verify").returncode == 0
    exact = left(directory)
    database.server.execute("UPDATE lambda.batch_stats SET count = count + 1", database.name)

    result = run_program({**environment, "LAMBDA_COMPONENT": "lambda-verify"}, "verify")

    assert result.returncode == 1
    assert exact["lambda_verify_differences"] == 0
    assert left(directory)["lambda_verify_differences"] > 0
    assert left(directory)["lambda_verify_timestamp_seconds"] >= exact["lambda_verify_timestamp_seconds"]
    assert left(directory)["lambda_run_exit_status"] == 1


def test_audit_that_compared_nothing_leaves_the_result_of_the_last(
    environment: dict[str, str], directory: Path
) -> None:
    assert run_program(environment, "verify").returncode == 0
    before = (directory / "verify.prom").read_text(encoding="utf-8")
    away = {"LAMBDA_COMPONENT": "lambda-verify", "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}

    result = run_program({**environment, **away}, "verify")

    assert result.returncode == 75
    assert (directory / "verify.prom").read_text(encoding="utf-8") == before
    assert left(directory)["lambda_run_exit_status"] == 75


def test_file_that_cannot_be_written_fails_no_job(environment: dict[str, str], directory: Path) -> None:
    directory.rmdir()

    result = run_program({**environment, "LAMBDA_COMPONENT": "lambda-cron-runner"}, "batch", "schedule")

    assert result.returncode == 0
    assert result.stderr.count("Metrics are not written to") == 1
