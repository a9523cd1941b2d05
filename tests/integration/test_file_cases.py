"""Each file of tests/cases/files.jsonl through the inbox: what is loaded of it, and what is said of the rest."""

from pathlib import Path

from tests.cases.files import FileCase, file_cases
from tests.support.fixtures import Database
from tests.support.program import run_program
from tests.support.recount import recount, served

CASES = list(enumerate(file_cases()))


def name_of(number: int, case: FileCase) -> str:
    return f"{number:03}-{case.file}"


def test_each_file_gives_what_its_case_says(database: Database, tmp_path: Path) -> None:
    database.skip_nights()
    environment = {
        **database.environment,
        "STATE_DIRECTORY": str(tmp_path),
        "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0",
    }
    (tmp_path / "inbox").mkdir()
    for number, case in CASES:
        # Files of the same content are one job: each has ids of its own.
        (tmp_path / "inbox" / name_of(number, case)).write_bytes(case.data(f"{number}-"))

    assert run_program(environment, "batch", "schedule").returncode == 0
    # Some files are given up.
    assert run_program(environment, "batch", "run").returncode == 1

    jobs = {
        file: (status, loaded, error)
        for file, status, loaded, error in database.query(
            "SELECT file, status, rows_loaded, error FROM lambda.batch_jobs WHERE file IS NOT NULL"
        )
    }
    letters: dict[object, dict[str, str]] = {}
    for file, line, reason in database.query("SELECT file, line, reason FROM lambda.dead_letters"):
        letters.setdefault(file, {})[str(line)] = str(reason)
    for number, case in CASES:
        status, loaded, error = jobs[name_of(number, case)]
        if case.refused is not None:
            assert (status, str(error)[: len(case.refused)]) == ("failed", case.refused), case.case
            continue
        assert (status, loaded) == ("completed", case.loaded), (case.case, error)
        found = letters.get(name_of(number, case), {})
        shown = {line: reason[: len(case.rejected.get(line, ""))] for line, reason in found.items()}
        assert shown == case.rejected, case.case
    assert served(database) == recount(database)
    assert not list((tmp_path / "inbox").iterdir())
