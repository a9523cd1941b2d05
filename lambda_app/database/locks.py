"""PostgreSQL's advisory locks, by which programs keep out of each other's way: what each guards, and how to take it.

A lock is a class and a key: 0, or a day. Queries get both as values; migrations, whose text is fixed, have the number.
"""

from collections.abc import Iterable
from datetime import date
from enum import IntEnum, unique

from lambda_app import settings
from lambda_app.database.connection import Connection, LockTimeout, transaction
from lambda_app.database.queries import Queries
from lambda_app.host.clock import Clock

_QUERIES = Queries("locks")
_FIRST_DAY = date(2000, 1, 1)


@unique
class Lock(IntEnum):
    """The classes. Who holds one takes only those below it: nobody then waits in a circle.

    With one exception: a writer may make a partition before it shares a day. That ends too, since a recompute waits for
    a day no longer than RECOMPUTE_LOCK_SECONDS.
    """

    # One `db migrate` at a time, until its connection ends.
    MIGRATIONS = 3
    # One `db maintain` at a time, until its connection ends.
    MAINTENANCE = 6
    # One `batch run` at a time, until its connection ends.
    BATCH = 2
    # A day: one recompute of it at a time. The maintenance takes it until a commit, to write a row of batch_days that a
    # recompute writes too, and to drop a day.
    RECOMPUTE = 5
    # A day: who adds aggregates to it shares the lock until the commit; who recomputes it takes it alone, while its
    # snapshot is taken. Several days are taken in their order.
    DAY = 4
    # One maker of partitions at a time, until the commit: `lambda.ensure_partition`.
    PARTITIONS = 1


def hold(connection: Connection, lock: Lock, wait_seconds: float, clock: Clock) -> bool:
    """Takes a lock until the connection ends; False when another has it for as long as we wait.

    Asks again and again: a statement that waits is one that CREATE INDEX CONCURRENTLY of the holder waits for.
    """
    deadline = clock.monotonic() + wait_seconds
    while True:
        with transaction(connection):
            is_ours = take(connection, lock, 0)
        if is_ours or clock.monotonic() >= deadline:
            return is_ours
        clock.sleep(settings.LOCK_POLL_SECONDS)


def take(connection: Connection, lock: Lock, wait_seconds: float | None, key: int = 0) -> bool:
    """Takes a lock for the session; False when it could not be had in this time (None: waits without end).

    Sets lock_timeout for the session unless it does not wait at all.
    """
    if wait_seconds == 0:
        return _QUERIES.value(connection, "try_lock", bool, lock=lock, key=key)
    milliseconds = int((wait_seconds or 0) * 1000)
    try:
        _QUERIES.run(connection, "lock", lock=lock, key=key, milliseconds=milliseconds)
    except LockTimeout:
        return False
    return True


def release(connection: Connection, lock: Lock, key: int = 0) -> None:
    """Gives back what `take` took; a connection that has broken has done so by itself."""
    if not connection.closed:
        _QUERIES.run(connection, "unlock", lock=lock, key=key)


def share_days(connection: Connection, days: Iterable[date]) -> None:
    """Waits for a recompute that takes its snapshot of one of these days; until the commit no other takes one."""
    _QUERIES.run(connection, "share_days", lock=Lock.DAY, keys=sorted(map(day_key, set(days))))


def day_key(day: date) -> int:
    """The key of a day.

    >>> day_key(date(2000, 1, 3))
    2
    """
    return (day - _FIRST_DAY).days
