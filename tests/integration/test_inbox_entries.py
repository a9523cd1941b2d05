"""Whatever lies in the inbox: each entry is loaded, left alone or refused by itself, and nothing stops the planner."""

import csv
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_app.host.hashing import hash_file
from tests.cases.files import HERE
from tests.support.csv_files import rows
from tests.support.fixtures import Database
from tests.support.processes import REPOSITORY
from tests.support.program import COMMAND, run_program

# Somebody else's, for who may not do everything.
STRANGER = 12345
# Root without its rights over the files of others: what lambda-batch is to a file that root puts down.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
with HERE.joinpath("inbox.csv").open(encoding="utf-8", newline="") as table:
    ENTRIES = [(row["name"], row["kind"], row["outcome"]) for row in csv.DictReader(table)]
REFUSED = {name: outcome for name, _, outcome in ENTRIES if outcome not in {"loaded", "left"}}


@pytest.fixture
def environment(database: Database, directory: Path) -> dict[str, str]:
    database.skip_nights()
    return {**database.environment, "STATE_DIRECTORY": str(directory), "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0"}


def put(path: Path, kind: str, number: int) -> None:
    """Makes an entry of the inbox."""
    content = rows(number).encode()
    match kind:
        case "directory" | "foreign directory":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/passwd")
        case "broken link":
            path.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        case _:
            path.write_bytes(
                subprocess.run(["gzip"], input=content, capture_output=True, check=True).stdout
                if path.name.lower().endswith(".gz")
                else content
            )
    if kind in {"foreign directory", "unreadable file"}:
        os.chown(path, STRANGER, STRANGER)
        path.chmod(0o700 if path.is_dir() else 0o600)


def planner(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`batch schedule` as a user who may not do everything."""
    return subprocess.run(
        [*UNPRIVILEGED, *COMMAND, "batch", "schedule"],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def statuses(database: Database) -> dict[str, tuple[str, str | None]]:
    found = database.query("SELECT file, status, error FROM lambda.batch_jobs WHERE file IS NOT NULL")
    return {str(file): (str(status), error if error is None else str(error)) for file, status, error in found}


def test_each_entry_is_loaded_left_or_refused_by_itself(database, environment, directory):
    for number, (name, kind, _) in enumerate(ENTRIES):
        put(directory / "inbox" / name, kind, number)

    schedule = planner(environment)
    run = run_program(environment, "batch", "run")

    assert (schedule.returncode, run.returncode) == (0, 0), schedule.stderr + run.stderr
    found = statuses(database)
    expected = {
        name: "completed" if outcome == "loaded" else "failed" for name, _, outcome in ENTRIES if outcome != "left"
    }
    assert {name: status for name, (status, _) in found.items()} == expected
    assert {name: error for name, (_, error) in found.items() if error} == REFUSED
    # Each refused one is told once, and listed with its reason.
    assert schedule.stderr.count(" ALERT ") == len(REFUSED)
    listed = run_program(environment, "batch", "list").stdout
    assert all(name in listed for name in REFUSED)
    left = {path.name for path in (directory / "inbox").iterdir()}
    assert {name for name, _, outcome in ENTRIES if outcome == "left"} <= left
    # A directory of somebody else can only get another name.
    [renamed] = left - {name for name, _, outcome in ENTRIES if outcome == "left"}
    assert renamed.startswith("foreign.csv.refused-BAT")
    assert planner(environment).stderr.count(" ALERT ") == 0
    assert statuses(database) == found


def test_entry_that_cannot_be_moved_holds_up_nobody_and_is_told_once(database, environment, directory):
    inbox = directory / "inbox"
    put(inbox / "stuck.csv", "unreadable file", 1)
    # Neither the file nor the directory is ours: with the sticky bit nobody else may rename it.
    inbox.chmod(0o1777)
    os.chown(inbox, STRANGER, STRANGER)
    put(inbox / "good.csv", "file", 2)

    first = planner(environment)
    again = [planner(environment) for _ in range(2)]

    assert first.returncode == 0, first.stderr
    # Only what cannot be helped is left: the unit waits before the next try.
    assert [each.returncode for each in again] == [os.EX_TEMPFAIL] * 2
    assert "stuck in the inbox: stuck.csv: lambda-batch may not read or move it" in again[0].stderr
    assert [each.stderr.count(" ALERT ") for each in (first, *again)] == [1, 0, 0]
    assert statuses(database)["stuck.csv"][0] == "failed"
    assert statuses(database)["good.csv"][0] == "pending"
    assert database.count("batch_jobs", "file = 'stuck.csv'") == 1


def test_readable_file_that_cannot_be_moved_fails_with_a_reason(database, environment, directory):
    inbox = directory / "inbox"
    put(inbox / "stuck.csv", "file", 1)
    os.chown(inbox / "stuck.csv", STRANGER, STRANGER)
    inbox.chmod(0o1777)
    os.chown(inbox, STRANGER, STRANGER)

    results = [planner(environment) for _ in range(2)]

    assert [each.returncode for each in results] == [os.EX_TEMPFAIL] * 2
    assert [each.stderr.count(" ALERT ") for each in results] == [1, 0]
    assert statuses(database) == {"stuck.csv": ("failed", REFUSED["unreadable.csv"])}
    # Once the reason is gone it loads.
    inbox.chmod(0o777)
    assert planner(environment).returncode == 0
    assert run_program(environment, "batch", "run").returncode == 0
    assert statuses(database) == {"stuck.csv": ("completed", None)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path], check=True)
    (path / "inbox").mkdir()
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_disk_that_cannot_be_written_blames_no_file_and_all_load_afterwards(database, environment, small_disk):
    environment["STATE_DIRECTORY"] = str(small_disk)
    for number in range(3):
        put(small_disk / f"inbox/{number}.csv", "file", number)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    schedule = run_program(environment, "batch", "schedule")
    run = run_program(environment, "batch", "run")

    assert schedule.returncode == os.EX_TEMPFAIL
    assert "Read-only file system" in schedule.stderr
    assert schedule.stderr.count(" ALERT ") == 0
    assert run.returncode == 0
    assert {status for status, _ in statuses(database).values()} == {"pending"}
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert [run_program(environment, "batch", step).returncode for step in ("schedule", "run")] == [0, 0]
    assert statuses(database) == {f"{number}.csv": ("completed", None) for number in range(3)}


def test_full_disk_blames_no_file_and_all_load_afterwards(database, environment, small_disk):
    environment["STATE_DIRECTORY"] = str(small_disk)
    put(small_disk / "inbox/a.csv", "file", 1)
    with (small_disk / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)

    run_program(environment, "batch", "schedule")
    run_program(environment, "batch", "run")
    (small_disk / "ballast").unlink()
    results = [run_program(environment, "batch", step).returncode for step in ("schedule", "run")]

    assert results == [0, 0]
    assert statuses(database) == {"a.csv": ("completed", None)}


def test_file_that_is_gone_fails_at_once_with_a_clear_reason(database, environment, directory):
    put(directory / "inbox/a.csv", "file", 1)
    run_program(environment, "batch", "schedule")
    shutil.rmtree(directory / "claimed")

    result = run_program(environment, "batch", "run")

    assert result.returncode == 1
    assert f"its file is not in {directory}/claimed/BAT00002-a.csv" in str(statuses(database)["a.csv"][1])


def test_entry_that_became_a_pipe_since_it_was_looked_at_is_no_file(directory, monkeypatch):
    put(directory / "file.csv", "file", 1)
    put(directory / "pipe.csv", "pipe", 1)
    regular = (directory / "file.csv").lstat()
    monkeypatch.setattr(Path, "lstat", lambda _: regular)

    with pytest.raises(OSError, match="it is a pipe, not a file"):
        hash_file(directory / "pipe.csv")


@pytest.mark.parametrize("name", ["inbox", "done", "failed"])
def test_directory_that_the_planner_may_not_read_is_named_in_one_line(environment, directory, name):
    closed = directory / name
    closed.mkdir(exist_ok=True)
    os.chown(closed, STRANGER, STRANGER)
    closed.chmod(0o700)

    done = planner(environment)

    assert done.returncode == os.EX_NOPERM
    assert done.stderr.splitlines()[-1].endswith(f"{closed} cannot be read: it must belong to lambda-batch")
    assert "Traceback" not in done.stderr
