"""What lies in the inbox of the batch, seen from outside."""

import stat
from contextlib import suppress
from pathlib import Path

from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock


def inbox_entries(inbox: Path, clock: Clock) -> tuple[InboxEntry, ...]:
    """Its entries; none where the inbox is on another host. Raises LambdaError when it cannot be read."""
    entries = []
    try:
        for path in inbox.iterdir():
            # It may be taken at any moment.
            with suppress(FileNotFoundError):
                entries.append(_entry(path, clock))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise LambdaError(f"the inbox cannot be read: {error}") from error
    return tuple(entries)


def _entry(path: Path, clock: Clock) -> InboxEntry:
    status, now = path.lstat(), clock.now().timestamp()
    # The older of both times: a modification time may be set ahead of the clock.
    written = min(status.st_mtime, status.st_ctime)
    return InboxEntry(path.name, stat.S_ISREG(status.st_mode), now - written, now - status.st_ctime)
