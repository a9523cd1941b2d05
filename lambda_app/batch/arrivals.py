"""Which files there are to take: complete ones of the inbox, and ended ones that somebody went on writing to."""

import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lambda_app.batch.connection import QUERIES
from lambda_app.core.batch.inbox_names import is_input
from lambda_app.core.batch.job_files import DONE, FAILED, job_of
from lambda_app.core.events import Event
from lambda_app.database.connection import Connection, transaction
from lambda_app.errors import AccessRefused
from lambda_app.host.clock import Clock
from lambda_app.host.hashing import hash_file

logger = logging.getLogger(__name__)

# Files that ended within this many days are looked at for late changes. A slow writer comes back within minutes, and
# the weekly audit looks at older files too.
_LATE_DAYS = 8


@dataclass(frozen=True, slots=True)
class _EndedFile:
    """A file in done/ or failed/, as its job knew it."""

    job_id: str
    content_hash: bytes
    file_bytes: int | None
    # Seconds since 1970.
    ended_at: float
    continued_by: str | None


def complete_files(inbox: Path, clock: Clock, quiet_seconds: float) -> Iterator[Path]:
    """Entries that nobody has changed for a while, oldest first."""
    deadline = clock.monotonic() + 3 * quiet_seconds
    seen: set[str] = set()
    while True:
        names = {entry.name for entry in _entries(inbox) if is_input(entry.name)} - seen
        ages = {inbox / name: _age_seconds(inbox / name, clock) for name in names}
        quiet = {path: age for path, age in ages.items() if age >= quiet_seconds}
        for path in sorted(quiet, key=lambda path: (-quiet[path], path)):
            seen.add(path.name)
            yield path
        waiting = quiet_seconds - min((ages[path] for path in ages.keys() - quiet.keys()), default=0.0)
        if len(ages) == len(quiet) or clock.monotonic() + waiting > deadline:
            break
        clock.sleep(max(0.1, waiting))
    for path in ages.keys() - quiet.keys():
        fields = Event.FILE_UNFINISHED.fields(file=path.name)
        logger.info("%s is still being written: left for the next run", path, extra=fields)


def changed_files(connection: Connection, directory: Path, clock: Clock, quiet_seconds: float) -> Iterator[Path]:
    """Files in done/ and failed/ that somebody went on writing to: their jobs know another content."""
    oldest = (clock.now() - timedelta(days=_LATE_DAYS)).timestamp()
    found: dict[str, list[Path]] = {}
    for place_name in (DONE, FAILED):
        for entry in _entries(directory / place_name) if (directory / place_name).is_dir() else ():
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime > oldest:
                found.setdefault(job_of(entry.name), []).append(Path(entry.path))
    if not found:
        return
    with transaction(connection):
        ended_files = QUERIES.rows(connection, "ended_files", _EndedFile, job_ids=list(found))
    for ended in ended_files:
        for path in found[ended.job_id]:
            try:
                if _age_seconds(path, clock) >= quiet_seconds and _has_changed(path, ended):
                    yield path
            except OSError as error:
                fields = Event.FILE_NOT_COMPARED.fields(file=path.name)
                logger.warning("Cannot tell whether %s has changed: %s", path, error, extra=fields)


def _has_changed(path: Path, ended: _EndedFile) -> bool:
    if ended.continued_by is not None:
        # Its successor is registered already: the planner was killed before it moved the file.
        return True
    status = path.lstat()
    is_touched = status.st_size != ended.file_bytes or status.st_mtime > ended.ended_at
    return is_touched and hash_file(path)[0] != ended.content_hash


def _age_seconds(path: Path, clock: Clock) -> float:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0.0
    # The newer of modification and change time, since cp -p and rsync -t set the former back. A time ahead of the clock
    # says nothing, so such a file counts as complete.
    age = clock.now().timestamp() - max(status.st_mtime, status.st_ctime)
    return age if age >= 0 else math.inf


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    """What lies there; raises AccessRefused when this user may not look."""
    try:
        return list(os.scandir(directory))
    except PermissionError as error:
        raise AccessRefused(f"{directory} cannot be read: it must belong to lambda-batch") from error
