"""The nightly batch against a real PostgreSQL: each due night exactly once, whatever is killed or fails."""

import random
import signal
import subprocess
import time
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lambda_app.batch import files, runner
from lambda_app.batch.runner import BatchRun
from lambda_app.database.connection import BATCH, connect
from lambda_app.errors import InvalidFile
from lambda_app.host.clock import SystemClock
from lambda_app.layers.store import BATCH_SHARD, Store
from tests.support.fixtures import Database
from tests.support.processes import REPOSITORY, wait_until
from tests.support.program import Program, run_program
from tests.support.trap import trapped

ROWS = 10_000


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {**database.environment, "STATE_DIRECTORY": str(tmp_path)}


def jobs(database: Database) -> list[tuple[object, ...]]:
    return database.query("SELECT business_date, status, attempts, rows_loaded FROM lambda.batch_jobs ORDER BY id")


def today(database: Database) -> date:
    return date.fromisoformat(str(database.value("SELECT current_date")))


def test_night_is_planned_and_loaded_once(database, environment):
    for _ in range(2):
        assert run_program(environment, "batch", "schedule").returncode == 0
        assert run_program(environment, "batch", "run").returncode == 0

    yesterday = database.value("SELECT current_date - 1")
    assert jobs(database) == [(yesterday, "completed", 1, ROWS)]
    assert database.query(
        "SELECT count(*), count(DISTINCT transaction_id), min(job_id), max(job_id), min(event_time)::date,"
        " max(event_time)::date, min(ingestion_type) FROM lambda.transactions"
    ) == [(ROWS, ROWS, "BAT00001", "BAT00001", yesterday, yesterday, "BATCH")]
    assert database.count("dead_letters") == 0


def test_five_nights_off_are_five_jobs_oldest_first(database, environment):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status)"
        " VALUES (current_date - 6, 'generated', 'completed')"
    )

    run_program(environment, "batch", "schedule")
    result = run_program(environment, "batch", "run")

    assert result.returncode == 0, result.stderr
    assert [status for _, status, _, _ in jobs(database)] == ["completed"] * 6
    by_start = database.query("SELECT business_date FROM lambda.batch_jobs WHERE attempts > 0 ORDER BY started_at")
    assert by_start == database.query(
        "SELECT d::date FROM generate_series(current_date - 5, current_date - 1, interval '1 day') AS d"
    )
    days = database.query("SELECT event_time::date, count(*) FROM lambda.transactions GROUP BY 1 ORDER BY 1")
    assert days == [(day, ROWS) for (day,) in by_start]


def test_killed_run_leaves_all_or_nothing_and_the_next_finishes(database, environment):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for back in range(5, 0, -1):
        day = database.value(f"SELECT current_date - {back}")
        run_program(environment, "batch", "schedule", "--date", str(day))
        with Program(environment, "batch", "run") as run:
            wait_until(lambda: database.count("batch_jobs", "status <> 'completed'") == 0 or _is_running(database))
            time.sleep(rng.uniform(0, 0.8))
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
        loaded = database.count("transactions", f"event_time >= '{day}' AND event_time < date '{day}' + 1")
        [(status,)] = database.query(f"SELECT status FROM lambda.batch_jobs WHERE business_date = '{day}'")
        assert (loaded, status) in {(0, "running"), (ROWS, "completed")}

        result = run_program(environment, "batch", "run")

        assert result.returncode == 0, result.stderr
        assert database.count("transactions", f"event_time >= '{day}' AND event_time < date '{day}' + 1") == ROWS
    assert {status for _, status, _, _ in jobs(database)} == {"completed"}


@pytest.mark.parametrize(
    ("point", "status", "rows"),
    [
        ("batch.runner write_generated_file before", "running", 0),
        ("batch.runner write_generated_file after", "running", 0),
        ("layers.day_tables DayTables.ensure after", "running", 0),
        ("layers.store copy_parts after", "running", 0),
        ("batch.runner load_file after", "running", 0),
        # Committed, and not yet said.
        ("batch.runner _log_completion before", "completed", ROWS),
    ],
)
def test_run_killed_at_each_point_is_finished_by_the_next(database, environment, point, status, rows):
    run_program(environment, "batch", "schedule")

    killed = subprocess.run(
        [*trapped(f"{point} SIGKILL 1"), "batch", "run"], env=environment, cwd=REPOSITORY, check=False, timeout=60
    )

    assert killed.returncode == -signal.SIGKILL
    assert [row[1] for row in jobs(database)] == [status]
    assert database.count("transactions") == rows
    assert run_program(environment, "batch", "run").returncode == 0
    assert [row[1] for row in jobs(database)] == ["completed"]
    assert database.count("transactions") == ROWS


def _is_running(database: Database) -> bool:
    return database.count("batch_jobs", "status = 'running'") > 0


def test_job_that_was_killed_three_times_is_given_up(database, environment):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, attempts, started_at)"
        " VALUES (current_date - 1, 'generated', 'running', 3, now())"
    )

    result = run_program(environment, "batch", "run")

    assert result.returncode == 1
    assert "BAT00001" in result.stderr
    assert database.query("SELECT status, error FROM lambda.batch_jobs") == [("failed", "killed in attempt 3")]


def test_job_that_fails_is_tried_three_times_then_given_up(database, environment):
    run_program(environment, "batch", "schedule")
    failing = ("batch", "run", "--directory", "/dev/null/nowhere")

    statuses = [run_program(environment, *failing).returncode for _ in range(3)]

    assert statuses == [75, 75, 1]
    assert database.query("SELECT status, attempts, error FROM lambda.batch_jobs") == [
        ("failed", 3, "attempt 3 of 3: [Errno 20] Not a directory: '/dev/null/nowhere/generated'")
    ]
    assert run_program(environment, "batch", "run").returncode == 0


def test_job_that_was_given_up_gets_new_attempts_by_hand(database, environment):
    yesterday = str(database.value("SELECT current_date - 1"))
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, attempts, error, started_at, finished_at)"
        f" VALUES ('{yesterday}', 'generated', 'failed', 3, 'disk full', now() - interval '1 day', now())"
    )

    run_program(environment, "batch", "schedule", "--date", yesterday)
    result = run_program(environment, "batch", "run")

    assert result.returncode == 0, result.stderr
    assert [row[1:] for row in jobs(database)] == [("completed", 1, ROWS)]


def test_day_that_has_not_ended_is_refused(database, environment):
    result = run_program(environment, "batch", "schedule", "--date", str(today(database)))

    assert result.returncode == 1
    assert "has not ended yet" in result.stderr
    assert jobs(database) == []


def test_two_runs_at_once_do_each_job_once(database, environment):
    for back in (3, 2, 1):
        day = database.value(f"SELECT current_date - {back}")
        run_program(environment, "batch", "schedule", "--date", str(day))

    with Program(environment, "batch", "run") as first, Program(environment, "batch", "run") as second:
        assert first.process.wait(60) == 0, first.text
        assert second.process.wait(60) == 0, second.text

    assert [row[1:] for row in jobs(database)] == [("completed", 1, ROWS)] * 3
    assert database.count("transactions") == 3 * ROWS


def test_outage_of_postgres_counts_as_no_attempt(database, environment, tmp_path, monkeypatch):
    run_program(environment, "batch", "schedule")
    load_file, calls = runner.load_file, []

    def broken_off_once(*arguments):
        counts = load_file(*arguments)
        calls.append(counts)
        if len(calls) == 1:
            database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lambda_batch'")
        return counts

    monkeypatch.setattr(runner, "load_file", broken_off_once)

    BatchRun(tmp_path, SystemClock()).run()

    assert len(calls) == 2
    assert [row[1:] for row in jobs(database)] == [("completed", 1, ROWS)]
    assert database.count("transactions") == ROWS


def test_bad_lines_become_dead_letters_by_number_and_good_ones_are_stored(database, tmp_path):
    path = tmp_path / "input.csv"
    path.write_bytes(
        b"amount,transaction_id,account_id,transaction_type,timestamp,location,unknown\r\n"
        b'12.30,T1,A1,purchase,2026-11-23 08:00:00,"two\r\nlines",x\r\n'
        b"12.345,T2,A1,purchase,2026-11-23 08:00:00,,x\r\n"
        b"12.30,T3,A1,purchase,2026-11-23 08:00:00,\xff,x\r\n"
        b"12.30,T1,A1,purchase,2026-11-23 08:00:00,again,x\r\n"
        b"too,few\r\n"
        b"-0.01,T4,A1,refund,2026-11-22T23:59:59.999Z,,\r\n"
    )

    with (
        closing(connect(BATCH)) as connection,
        closing(connect(BATCH)) as maker,
        (store := Store(connection, BATCH_SHARD)).transaction(),
    ):
        counts = files.load_file(store, maker, path, "input.csv", "BAT00001", datetime(2026, 11, 24, tzinfo=UTC))

    assert (counts.read, counts.loaded, counts.duplicate, counts.rejected) == (6, 2, 0, 4)
    assert database.query("SELECT transaction_id, location FROM lambda.transactions ORDER BY 1") == [
        ("T1", "two\r\nlines"),
        ("T4", None),
    ]
    letters = database.query("SELECT file, line, reason FROM lambda.dead_letters ORDER BY line")
    assert [(file, line) for file, line, _ in letters] == [("input.csv", line) for line in (4, 5, 6, 7)]
    assert "3 decimals" in str(letters[0][2])
    assert "byte 0xFF is not UTF-8" in str(letters[1][2])
    assert "location is 'again', stored is 'two\\r\\nlines'" in str(letters[2][2])
    assert letters[3][2] == "2 fields where the header names 7"
    assert bytes(database.value("SELECT raw FROM lambda.dead_letters WHERE line = 7")) == b"too,few\r\n"
    assert database.count("dead_letters", "job_id = 'BAT00001'") == 4


def test_file_without_a_needed_column_is_refused_as_a_whole(database, tmp_path):
    path = tmp_path / "input.csv"
    path.write_text("transaction_id,amount\nT1,12.30\n", encoding="utf-8")

    with (
        closing(connect(BATCH)) as connection,
        closing(connect(BATCH)) as maker,
        pytest.raises(InvalidFile, match="the header lacks account_id, transaction_type, event_time"),
    ):
        files.load_file(
            Store(connection, BATCH_SHARD), maker, path, "input.csv", "BAT00001", datetime(2026, 11, 24, tzinfo=UTC)
        )


def test_list_shows_each_job(database, environment):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, attempts, error)"
        " VALUES ('2026-11-23', 'generated', 'failed', 3, 'disk [full]')"
    )

    result = run_program(environment, "batch", "list")

    assert result.returncode == 0
    assert "BAT00001" in result.stdout
    assert "disk [full]" in result.stdout
