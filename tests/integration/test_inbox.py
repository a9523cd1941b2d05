"""Files from source systems: loaded once by their content, wherever a run is killed; bad ones fail as a whole."""

import os
import signal
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_app.batch.inbox import register_files
from lambda_app.database.connection import BATCH, connect
from tests.support.csv_files import HEADER, rows
from tests.support.fixtures import Database
from tests.support.processes import REPOSITORY
from tests.support.program import Program, run_program
from tests.support.recount import recount, served
from tests.support.trap import trapped


@pytest.fixture
def environment(database: Database, directory: Path) -> dict[str, str]:
    database.skip_nights()
    return {
        **database.environment,
        "STATE_DIRECTORY": str(directory),
        "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0.2",
    }


@pytest.fixture
def at_once(environment: dict[str, str]) -> dict[str, str]:
    """Every file counts as complete."""
    return {**environment, "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0"}


def arrive(directory: Path, name: str, text: str) -> None:
    (directory / "inbox" / name).write_bytes(text.encode())


def batch(environment: dict[str, str]) -> list[subprocess.CompletedProcess[str]]:
    return [run_program(environment, "batch", command) for command in ("schedule", "run")]


def jobs(database: Database) -> list[tuple[object, ...]]:
    return database.query(
        "SELECT file, status, rows_loaded, rows_duplicate, rows_rejected FROM lambda.batch_jobs"
        " WHERE file IS NOT NULL ORDER BY id"
    )


def tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_file_is_loaded_once_with_its_aggregates(database, environment, directory):
    text = '\ufeffamount,x,transaction_type,"timestamp",account_id,location,transaction_id\r\n'
    text += (
        '1.50,?,refund,2026-06-15 12:00:00,A1,"two\r\nlines",T1\r\nbad\r\n-2,,refund,2026-06-14T23:59:59Z,A1,,T2\r\n'
    )
    arrive(directory, "payments.csv", text)

    for _ in range(2):
        assert [each.returncode for each in batch(environment)] == [0, 0]

    assert jobs(database) == [("payments.csv", "completed", 2, 0, 1)]
    assert database.query("SELECT transaction_id, location, job_id FROM lambda.transactions ORDER BY 1") == [
        ("T1", "two\r\nlines", "BAT00002"),
        ("T2", None, "BAT00002"),
    ]
    assert database.query("SELECT file, line, reason FROM lambda.dead_letters") == [
        ("payments.csv", 4, "1 fields where the header names 7")
    ]
    # What a retry of its dead letters needs.
    assert database.query(
        "SELECT job_id, header[1:3] FROM lambda.dead_letters JOIN lambda.batch_jobs USING (job_id)"
    ) == [("BAT00002", ["amount", "x", "transaction_type"])]
    assert tree(directory) == {"done/BAT00002-payments.csv"}
    # The days that the file touched are recomputed by the same run.
    assert served(database) == served(database, "batch_stats") == recount(database)


def test_same_content_is_one_job_and_other_content_another(database, environment, directory):
    arrive(directory, "a.csv", rows(1, 2))
    arrive(directory, "b.csv", rows(1, 2))
    batch(environment)
    arrive(directory, "a.csv", rows(1, 2, 3))
    arrive(directory, "c.csv", rows(1, 2))
    batch(environment)

    assert [row[1:4] for row in jobs(database)] == [("completed", 2, 0), ("completed", 1, 2)]
    assert database.count("transactions") == 3
    names = tree(directory)
    assert {name.split("/")[0] for name in names} == {"done"}
    assert sorted(name[-5:] for name in names) == ["a.csv", "a.csv", "c.csv"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("transaction_id,amount\nT1,1\n", "the header lacks account_id, transaction_type, event_time"),
        ("", "the first line is missing or blank: it must name the columns"),
        (
            f"{HEADER}\nT1,A1,purchase,1.234,2026-06-15T12:00:00Z\nbad\n",
            "each of its 2 records is bad; the first, in line 2: amount has 3 decimals, more than 2: 1.234",
        ),
    ],
)
def test_file_that_is_no_use_fails_as_a_whole_with_one_error(database, environment, directory, text, error):
    arrive(directory, "bad.csv", text)
    arrive(directory, "good.csv", rows(1))

    schedule, run = batch(environment)

    assert (schedule.returncode, run.returncode) == (0, 1)
    assert database.query("SELECT status, attempts, error FROM lambda.batch_jobs WHERE file = 'bad.csv'") == [
        ("failed", 1, error)
    ]
    assert error in run.stderr
    assert database.count("dead_letters") == 0
    assert database.count("transactions") == 1
    assert tree(directory) == {"failed/BAT00002-bad.csv", "done/BAT00003-good.csv"}


def test_file_that_failed_is_tried_again_when_it_is_put_there_again(database, environment, directory):
    arrive(directory, "day.csv", "transaction_id\n")
    batch(environment)
    (directory / "failed/BAT00002-day.csv").rename(directory / "inbox/again.csv")

    batch(environment)

    assert [row[:2] for row in jobs(database)] == [("day.csv", "failed")]
    assert database.value("SELECT attempts FROM lambda.batch_jobs WHERE file IS NOT NULL") == 1
    assert tree(directory) == {"failed/BAT00002-day.csv"}


def test_file_with_a_header_alone_is_an_empty_one(database, environment, directory):
    arrive(directory, "empty.csv", HEADER + "\n")

    batch(environment)

    assert jobs(database) == [("empty.csv", "completed", 0, 0, 0)]


class WritingClock:
    """Time that goes by only in `sleep`; meanwhile a source system writes on."""

    def __init__(self, path: Path, writes: int) -> None:
        self._path = path
        self._writes = writes
        self._passed = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds
        if self._writes:
            self._writes -= 1
            with self._path.open("a") as file:
                file.write("T9,A1,purchase,1,2026-06-15T12:00:00Z\n")
            ahead = self.now().timestamp()
            os.utime(self._path, (ahead, ahead))


@pytest.mark.parametrize(("writes", "registered"), [(1, ["BAT00002"]), (99, [])])
def test_file_that_is_being_written_is_waited_for_a_little_then_left(
    database, environment, directory, writes, registered
):
    arrive(directory, "growing.csv", rows(1))
    clock = WritingClock(directory / "inbox/growing.csv", writes)

    with closing(connect(BATCH)) as connection:
        assert register_files(connection, directory, clock, 5).jobs == registered

    assert 5 <= clock.monotonic() <= 15
    assert (directory / "inbox/growing.csv").exists() == (not registered)


def test_file_that_changes_after_it_was_registered_is_refused(database, environment, directory):
    arrive(directory, "a.csv", rows(1))
    run_program(environment, "batch", "schedule")
    with (directory / "claimed/BAT00002-a.csv").open("a") as file:
        file.write("T2,A1,purchase,12.30,2026-06-15T12:00:00Z\n")

    result = run_program(environment, "batch", "run")

    assert result.returncode == 1
    assert "changed after it had been registered" in result.stderr
    assert database.count("transactions") == 0


def test_rest_that_comes_after_the_load_is_loaded_by_the_next_planner(database, at_once, directory):
    arrive(directory, "a.csv", rows(1))
    batch(at_once)
    with (directory / "done/BAT00002-a.csv").open("a") as late:
        late.write(rows(2).removeprefix(f"{HEADER}\n"))

    results = batch(at_once)

    assert [each.returncode for each in results] == [0, 0]
    assert "a.csv changed after it was registered: BAT00003 loads what is new" in results[0].stderr
    assert jobs(database) == [("a.csv", "completed", 1, 0, 0), ("a.csv", "completed", 1, 1, 0)]
    assert database.query("SELECT job_id, continued_by FROM lambda.batch_jobs WHERE file IS NOT NULL ORDER BY id") == [
        ("BAT00002", "BAT00003"),
        ("BAT00003", None),
    ]
    assert tree(directory) == {"done/BAT00003-a.csv"}
    assert served(database) == recount(database)
    # Nothing is left to do.
    assert "No job is due" in batch(at_once)[0].stderr


def test_rest_that_changes_no_size_is_loaded_too(database, at_once, directory):
    arrive(directory, "a.csv", rows(1))
    batch(at_once)
    path = directory / "done/BAT00002-a.csv"
    path.write_text(path.read_text().replace("T1", "T2"))

    batch(at_once)

    assert [row[:3] for row in jobs(database)] == [("a.csv", "completed", 1)] * 2
    assert database.count("transactions") == 2


def test_file_that_grows_after_it_failed_is_tried_again(database, at_once, directory):
    arrive(directory, "a.csv", HEADER[:20])
    assert [each.returncode for each in batch(at_once)] == [0, 1]
    (directory / "failed/BAT00002-a.csv").write_text(rows(1, 2))

    assert [each.returncode for each in batch(at_once)] == [0, 0]

    assert jobs(database)[1:] == [("a.csv", "completed", 2, 0, 0)]
    assert tree(directory) == {"done/BAT00003-a.csv"}


def test_file_that_grows_while_it_is_claimed_is_loaded_whole_in_the_end(database, at_once, directory):
    arrive(directory, "a.csv", rows(1))
    run_program(at_once, "batch", "schedule")
    with (directory / "claimed/BAT00002-a.csv").open("a") as late:
        late.write(rows(2).removeprefix(f"{HEADER}\n"))
    assert run_program(at_once, "batch", "run").returncode == 1

    assert [each.returncode for each in batch(at_once)] == [0, 0]

    assert jobs(database)[1:] == [("a.csv", "completed", 2, 0, 0)]
    assert database.count("transactions") == 2


def test_ended_file_that_is_still_being_written_is_left_for_the_next_planner(database, environment, directory):
    arrive(directory, "a.csv", rows(1))
    batch(environment)
    (directory / "done/BAT00002-a.csv").write_text(rows(1, 2))

    planned = run_program({**environment, "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "60"}, "batch", "schedule")

    assert planned.returncode == 0
    assert len(jobs(database)) == 1


@pytest.mark.parametrize("point", ["batch.inbox move before", "batch.inbox move after"])
def test_killed_planner_of_a_late_rest_is_finished_by_the_next(database, at_once, directory, point):
    arrive(directory, "a.csv", rows(1))
    batch(at_once)
    (directory / "done/BAT00002-a.csv").write_text(rows(1, 2))

    killed = subprocess.run(
        [*trapped(f"{point} SIGKILL 1"), "batch", "schedule"], env=at_once, cwd=REPOSITORY, check=False, timeout=60
    )

    assert killed.returncode == -signal.SIGKILL
    # A run meanwhile leaves the job alone, and counts no attempt.
    assert run_program(at_once, "batch", "run").returncode == 0
    assert [each.returncode for each in batch(at_once)] == [0, 0]
    assert jobs(database)[1:] == [("a.csv", "completed", 1, 1, 0)]
    assert database.value("SELECT attempts FROM lambda.batch_jobs WHERE job_id = 'BAT00003'") == 1
    assert tree(directory) == {"done/BAT00003-a.csv"}


@pytest.mark.parametrize(
    ("command", "point"),
    [
        ("schedule", "batch.inbox hash_file after"),
        ("schedule", "batch.inbox move before"),
        ("schedule", "batch.inbox move after"),
        ("run", "layers.day_tables DayTables.ensure after"),
        ("run", "layers.store copy_parts after"),
        ("run", "layers.speed_layer upsert_stats before"),
        ("run", "layers.speed_layer upsert_stats after"),
        ("run", "batch.runner load_file after"),
        ("run", "batch.inbox put_away before"),
        ("run", "batch.inbox move after"),
    ],
)
def test_killed_at_each_point_the_file_is_loaded_once_by_the_next(database, environment, directory, command, point):
    arrive(directory, "a.csv", rows(*range(100)))
    if command == "run":
        run_program(environment, "batch", "schedule")

    killed = subprocess.run(
        [*trapped(f"{point} SIGKILL 1"), "batch", command], env=environment, cwd=REPOSITORY, check=False, timeout=60
    )

    assert killed.returncode == -signal.SIGKILL
    assert database.count("transactions") in {0, 100}
    assert served(database) == recount(database)
    assert [each.returncode for each in batch(environment)] == [0, 0]
    assert jobs(database) == [("a.csv", "completed", 100, 0, 0)]
    assert served(database) == recount(database)
    assert tree(directory) == {"done/BAT00002-a.csv"}


def test_two_planners_and_two_runs_at_once_load_each_file_once(database, environment, directory):
    for number in range(5):
        arrive(directory, f"{number}.csv", rows(*range(100 * number, 100 * number + 100)))

    for command in ("schedule", "run"):
        with Program(environment, "batch", command) as first, Program(environment, "batch", command) as second:
            assert first.process.wait(60) == 0, first.text
            assert second.process.wait(60) == 0, second.text

    assert [row[1:] for row in jobs(database)] == [("completed", 100, 0, 0)] * 5
    assert database.count("transactions") == 500
    assert len(tree(directory)) == 5
    assert served(database) == recount(database)
