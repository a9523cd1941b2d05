"""Files from source systems: `inbox/NAME.csv`, then `claimed/JOB-NAME.csv`, in the end in `done/` or `failed/`.

A file is one job by its content: the same bytes twice are one job, other bytes under the same name are another. A job
is registered before its file is renamed, so a kill between two steps leaves something that the next call finishes.
"""

import hashlib
import logging
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from lambda_app.clock import Clock
from lambda_app.core.schedule import JobStatus
from lambda_app.database import Connection, fetch_all, queries, transaction
from lambda_app.directories import CLAIMED, DONE, FAILED, INBOX, make_directory, move

logger = logging.getLogger(__name__)

_PLACES = {JobStatus.COMPLETED: DONE, JobStatus.FAILED: FAILED}
# A file system takes names of 255 bytes; the job goes before it.
_LONGEST_NAME_BYTES = 200


def place(directory: Path, status: str, job_id: str, name: str) -> Path:
    """Where the file of a job lies, below the batch's directory."""
    return directory / _PLACES.get(JobStatus(status), CLAIMED) / f"{job_id}-{name}"


def register_files(connection: Connection, directory: Path, clock: Clock, quiet_seconds: float) -> list[str]:
    """Registers each complete file of the inbox as a pending job; returns the jobs that are to be run.

    Complete is what has not changed for so long. Waits three times as long for the others, then leaves them.
    """
    make_directory(directory / INBOX)
    pending = []
    for path in _complete_files(directory / INBOX, clock, quiet_seconds):
        try:
            content_hash = _hash(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            # Left where it is, it would come up again at once, and for ever.
            logger.error("%s is no file that can be read, and goes to %s/: %s", path, FAILED, error)  # noqa: TRY400
            move(path, directory / FAILED / path.name)
            continue
        try:
            job_id = _register(connection, directory, path, content_hash)
        except FileNotFoundError:
            # Someone else has claimed it meanwhile.
            continue
        pending += [job_id] if job_id else []
    return pending


def put_away(directory: Path, status: str, job_id: str, name: str) -> None:
    """Moves the file of a job that has ended; `tidy` does it later if that fails."""
    claimed = place(directory, JobStatus.PENDING, job_id, name)
    try:
        if claimed.exists():
            move(claimed, place(directory, status, job_id, name))
    except OSError as error:
        logger.error("%s stays where it is: %s", claimed, error)  # noqa: TRY400 - one clear line, no traceback


def tidy(connection: Connection, directory: Path) -> None:
    """Moves the files of jobs that have ended and were killed before they had done so themselves."""
    claimed = {path.name.partition("-")[0] for path in (directory / CLAIMED).glob("*")}
    if not claimed:
        return
    for job_id, status, name in _query(connection, "ended_jobs", job_ids=list(claimed)):
        put_away(directory, status, job_id, name)


def _complete_files(inbox: Path, clock: Clock, quiet_seconds: float) -> Iterator[Path]:
    """Files that nobody has written to for a while, oldest first."""
    deadline = clock.monotonic() + 3 * quiet_seconds
    seen: set[Path] = set()
    while True:
        ages = {path: _age_seconds(path, clock) for path in inbox.glob("*.csv") if path not in seen}
        quiet = {path: age for path, age in ages.items() if age >= quiet_seconds}
        for path in sorted(quiet, key=lambda path: (-quiet[path], path)):
            seen.add(path)
            yield path
        waiting = quiet_seconds - min((ages[path] for path in ages.keys() - quiet.keys()), default=0.0)
        if len(ages) == len(quiet) or clock.monotonic() + waiting > deadline:
            break
        clock.sleep(max(0.1, waiting))
    for path in ages.keys() - quiet.keys():
        logger.info("%s is still being written: left for the next run", path)


def _age_seconds(path: Path, clock: Clock) -> float:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0.0
    # The change time too: cp -p and rsync -t set the other one back. A time that is ahead says nothing.
    age = clock.now().timestamp() - max(status.st_mtime, status.st_ctime)
    return age if age >= 0 else math.inf


def _hash(path: Path) -> bytes:
    # No link: whoever may write here shall not have us read elsewhere. Not blocking: it may be a pipe.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        return hashlib.file_digest(file, "sha256").digest()


def _register(connection: Connection, directory: Path, path: Path, content_hash: bytes) -> str | None:
    """The job that is now to be run for the file, if any."""
    name = _storable(path.name)
    [(job_id, status, first_name, is_new)] = _query(connection, "register_file", file=name, content_hash=content_hash)
    if is_new:
        logger.info("%s is %s", job_id, path.name, extra={"job_id": job_id, "file": path.name})
    elif status == JobStatus.COMPLETED:
        logger.info("%s was loaded before, by %s: nothing to do", path.name, job_id, extra={"job_id": job_id})
        move(path, place(directory, status, job_id, name))
        return None
    else:
        logger.info("%s is %s, as %s", path.name, job_id, first_name, extra={"job_id": job_id})
    move(path, place(directory, JobStatus.PENDING, job_id, first_name))
    return str(job_id)


def _storable(name: str) -> str:
    """A file's name as text that PostgreSQL takes, its end if it is very long."""
    text = os.fsencode(name).decode("utf-8", "replace")
    while len(text.encode()) > _LONGEST_NAME_BYTES:
        text = text[1:]
    return text


def _query(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    with transaction(connection):
        return cast("list[tuple[Any, ...]]", fetch_all(connection, queries("batch")[name], values))
