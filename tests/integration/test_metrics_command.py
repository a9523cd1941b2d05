"""`lambda-app metrics`: what it says of a real database, and of what does not answer."""

import json
from contextlib import closing
from pathlib import Path

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.declared import METRICS
from lambda_app.database.connection import READER, connect
from lambda_app.host.clock import SystemClock
from lambda_app.operate.metrics import read_facts
from tests.support.fixtures import Database
from tests.support.processes import free_port, wait_until
from tests.support.program import Program, run_program
from tests.support.scrape import scrape

JOB = """
INSERT INTO lambda.batch_jobs (business_date, source, status, attempts, rows_loaded, started_at, finished_at, file)
VALUES (lambda.today() - %(days)s, 'generated', '%(status)s', 1, %(rows)s, now() - interval '30 s', now(), %(file)s)
"""


def test_facts_are_those_of_the_database(database: Database, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for days, status, rows, file in (
        (1, "completed", 10, "NULL"),
        (3, "failed", 0, "NULL"),
        (1, "failed", 0, "'a.csv'"),
    ):
        database.server.execute(JOB % {"days": days, "status": status, "rows": rows, "file": file}, database.name)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)

    with closing(connect(READER, "test")) as connection:
        facts = read_facts(connection, SystemClock())

    assert {each.status: each.count for each in facts.jobs} == {"completed": 1, "failed": 2}
    assert (facts.given_up_nights, facts.given_up_files) == (1, 1)
    assert facts.last_night is not None
    assert (facts.last_night.rows_loaded, round(facts.last_night.seconds)) == (10, 30)
    assert facts.last_night.completed_at - facts.last_night.day_ended_at < 2 * 86_400
    assert [night.status for night in facts.nights] == ["completed", "missing", "failed"]
    assert (facts.dirty_days, facts.newest_age_seconds) == (0, None)
    assert facts.totals.unfrozen_transactions > 0
    # The template of this database was migrated during this run of the tests.
    assert 0 < SystemClock().now().timestamp() - facts.totals.schema_created_at < 86_400


def test_scrape_has_what_answers_and_says_what_does_not(database: Database, tmp_path: Path) -> None:
    components = tmp_path / "components.json"
    components.write_text(json.dumps({"kafka": {"unit": "kafka.service", "kind": "service", "failure": "all waits"}}))
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/notes.txt").touch()
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **database.environment,
        "LAMBDA_COMPONENTS_FILE": str(components),
        "STATE_DIRECTORY": str(tmp_path),
        # There is no systemctl.
        "PATH": str(tmp_path),
    }
    with Program(environment, "metrics", "--address", address) as program:
        wait_until(lambda: scrape(address), what="an answer")
        seen = scrape(address)
        assert program.terminate() == 0
        assert "No metrics of systemd" in program.text

    sources = {key[1]: value for key, value in seen.items() if key[0] == declared.SOURCE_UP.name}
    assert sources == {"systemd": 0, "postgresql": 1, "inbox": 1}
    assert seen["lambda_inbox_not_taken_files",] == 1
    assert seen["lambda_batch_jobs", "pending"] == 0
    assert {key[0] for key in seen} <= {metric.name for metric in METRICS}


def test_without_an_address_it_prints_once(database: Database, tmp_path: Path) -> None:
    components = tmp_path / "components.json"
    components.write_text("{}")
    environment = {**database.environment, "LAMBDA_COMPONENTS_FILE": str(components)}

    result = run_program(environment, "metrics", "--no-database")

    assert "# TYPE lambda_metrics_timestamp_seconds gauge" in result.stdout.splitlines()
    assert "lambda_batch" not in result.stdout
