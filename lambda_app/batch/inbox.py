"""Files from source systems: `inbox/NAME.csv`, then `claimed/JOB-NAME.csv`, in the end in `done/` or `failed/`.

A file is one job by its content: the same bytes twice are one job, other bytes under the same name are another. A job
is registered before its file is renamed, so a kill between two steps leaves something that the next call finishes.
Each entry of the inbox stands for itself: one that cannot be loaded becomes a failed job that says why.
"""

import errno
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from lambda_app.batch.arrivals import changed_files, complete_files
from lambda_app.batch.connection import QUERIES
from lambda_app.batch.directories import make_directory, move
from lambda_app.core.batch.job_files import CLAIMED, INBOX, job_of, job_place
from lambda_app.core.batch.schedule import JobStatus
from lambda_app.core.events import Event
from lambda_app.database.connection import Connection, transaction
from lambda_app.host import logs
from lambda_app.host.clock import Clock
from lambda_app.host.hashing import hash_file

logger = logging.getLogger(__name__)

# File systems take names of 255 bytes, and the job's id is put before the name.
_LONGEST_NAME_BYTES = 200
# Faults of the disk or of this process: the entry is not to blame, and is tried again.
_OUTAGES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


@dataclass
class Registered:
    """The result of one look into the inbox."""

    # Jobs that are to be run.
    jobs: list[str] = field(default_factory=list)
    # Entries that had to stay where they are, each with the reason.
    stuck: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _EndedJob:
    """A job that will not be run any more, and its file."""

    job_id: str
    status: str
    file: str


@dataclass(frozen=True, slots=True)
class _Job:
    """What the database says of the job of a file."""

    id: int
    job_id: str
    status: str
    # The name under which this content came first.
    file: str
    is_new: bool
    # The reason for which it failed before.
    error: str | None

    def log(self, name: str, continues: str | None) -> None:
        if self.is_new:
            text = "%s changed after it was registered: %s loads what is new" if continues else "%s is %s"
            extra = Event.FILE_REGISTERED.fields(job_id=self.job_id, file=name)
            logger.info(text, name, self.job_id, extra=extra)
            return
        if self.status == JobStatus.COMPLETED:
            text = f"was loaded before, by {self.job_id}: nothing to do"
        else:
            text = f"is {self.job_id}, as {self.file}"
        logger.info("%s %s", name, text, extra=Event.FILE_KNOWN.fields(job_id=self.job_id, file=name))


def place(directory: Path, status: str, job_id: str, name: str) -> Path:
    """Where the file of a job lies, below the batch's directory."""
    return directory / job_place(status, job_id, name)


def register_files(connection: Connection, directory: Path, clock: Clock, quiet_seconds: float) -> Registered:
    """Registers each complete file of the inbox, and each ended one that has changed, as a pending job.

    A file is complete when it has not changed for `quiet_seconds`. Waits three times as long for the others, then
    leaves them.
    """
    make_directory(directory / INBOX)
    registered = Registered()
    for path in changed_files(connection, directory, clock, quiet_seconds):
        _take(connection, directory, path, registered, continues=job_of(path.name))
    for path in complete_files(directory / INBOX, clock, quiet_seconds):
        _take(connection, directory, path, registered)
    return registered


def put_away(directory: Path, status: str, job_id: str, name: str) -> None:
    """Moves the file of a job that has ended; `tidy` does it later if that fails."""
    claimed = place(directory, JobStatus.PENDING, job_id, name)
    try:
        if claimed.exists():
            move(claimed, place(directory, status, job_id, name))
    except OSError as error:
        fields = Event.FILE_NOT_PUT_AWAY.fields(file=name)
        logger.error("%s stays where it is: %s", claimed, error, extra=fields)  # noqa: TRY400 - no traceback


def tidy(connection: Connection, directory: Path) -> None:
    """Moves the files of jobs that have ended and were killed before they had done so themselves."""
    claimed = {job_of(path.name) for path in (directory / CLAIMED).glob("*")}
    if not claimed:
        return
    with transaction(connection):
        ended = QUERIES.rows(connection, "ended_jobs", _EndedJob, job_ids=list(claimed))
    for job in ended:
        put_away(directory, job.status, job.job_id, job.file)


def _take(
    connection: Connection, directory: Path, path: Path, registered: Registered, continues: str | None = None
) -> None:
    """Registers one file and claims it; whatever is wrong with it stops no other."""
    try:
        content_hash, size = hash_file(path)
    except FileNotFoundError:
        # Somebody removed it, or another planner claimed it, since we looked.
        return
    except OSError as error:
        if error.errno in _OUTAGES:
            _wait_for_disk(path, error, registered)
        elif not _refuse(connection, directory, path, _reason(error)):
            registered.stuck.append(f"{path.name}: {_reason(error)}")
        return
    name = _storable(path.name.removeprefix(f"{continues}-") if continues else path.name)
    job = _register(connection, file=name, content_hash=content_hash, file_bytes=size, continues=continues)
    job.log(path.name, continues)
    # A file whose content was loaded before keeps its own name, beside the file that was loaded.
    target = place(directory, job.status, job.job_id, name if job.status == JobStatus.COMPLETED else job.file)
    try:
        move(path, target)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in _OUTAGES:
            _wait_for_disk(path, error, registered)
        else:
            _give_up(connection, path, job, _reason(error))
            registered.stuck.append(f"{path.name}: {_reason(error)}")
        return
    if job.status == JobStatus.PENDING:
        registered.jobs.append(job.job_id)


def _register(connection: Connection, **file: object) -> _Job:
    with transaction(connection):
        [job] = QUERIES.rows(connection, "register_file", _Job, **file)
        return job


def _wait_for_disk(path: Path, error: OSError, registered: Registered) -> None:
    logger.error("%s waits: %s", path, error, extra=Event.FILE_DELAYED.fields(file=path.name))
    registered.stuck.append(f"{path.name}: {error.strerror}")


def _give_up(connection: Connection, path: Path, job: _Job, reason: str) -> None:
    """Fails the job of a file that cannot be claimed; told once, however often the planner meets the file."""
    if job.status == JobStatus.PENDING:
        with transaction(connection):
            QUERIES.run(connection, "end_attempt", id=job.id, status=JobStatus.FAILED, error=reason)
        if job.error != reason:
            _tell(path, job.job_id, reason)


def _refuse(connection: Connection, directory: Path, path: Path, reason: str) -> bool:
    """Makes an entry that cannot be loaded a failed job, and moves it out of the way; whether that could be done.

    What cannot leave the inbox gets another name there. Of an entry that can do neither one job tells, however often
    the planner meets it.
    """
    name = _storable(path.name)
    with transaction(connection):
        job_id = QUERIES.value_or_none(connection, "last_refusal", str, file=name, error=reason)
    if job_id is not None and not os.path.lexists(place(directory, JobStatus.FAILED, job_id, name)):
        with transaction(connection):
            QUERIES.run(connection, "repeat_refusal", job_id=job_id)
    else:
        with transaction(connection):
            job_id = QUERIES.value(connection, "refuse_file", str, file=name, error=reason)
        _tell(path, job_id, reason)
    targets = (place(directory, JobStatus.FAILED, job_id, name), path.with_name(f"{name}.refused-{job_id}"))
    return any(_moved(path, target) for target in targets)


def _tell(path: Path, job_id: str, reason: str) -> None:
    logger.log(
        logs.ALERT,
        "%s in the inbox is not loaded, %s: %s; see lambda-app batch list",
        path.name,
        job_id,
        reason,
        extra=Event.FILE_REFUSED.fields(job_id=job_id, file=path.name),
    )


def _moved(path: Path, target: Path) -> bool:
    try:
        if os.path.lexists(target):
            return False
        move(path, target)
    except OSError as error:
        fields = Event.FILE_NOT_RENAMED.fields(file=path.name)
        logger.warning("%s cannot become %s: %s", path, target, error, extra=fields)
        return False
    return True


def _reason(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "lambda-batch may not read or move it: change its owner or mode, and put it into the inbox again"
    return str(error.strerror or error)


def _storable(name: str) -> str:
    """A file's name as text that PostgreSQL takes, its end if it is very long."""
    text = os.fsencode(name).decode("utf-8", "replace")
    while len(text.encode()) > _LONGEST_NAME_BYTES:
        text = text[1:]
    return text
