"""The batch layer: a day's aggregates made anew from its transactions, while the stream goes on.

A day is one transaction whose first statement deletes its rows of the speed layer and so takes the snapshot. At that
moment a lock keeps the day's writers out: their rows and aggregates are in the snapshot together or not at all.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Any, cast
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.connection import BATCH, Connection, LockTimeout, connect, transaction, translated_errors
from lambda_app.database.queries import fetch_all, queries, time_zone_name
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock

logger = logging.getLogger(__name__)

_STEPS = (
    "delete_batch_stats",
    "insert_batch_stats",
    "delete_day_stats",
    "insert_day_stats",
    "delete_top_accounts",
    "insert_top_accounts",
)
_ONE_SNAPSHOT = {"default_transaction_isolation": "repeatable read"}


class Need(Enum):
    """What a day must have to be recomputed."""

    NONE = auto()
    # Rows without aggregates.
    UNCOUNTED = auto()
    # Those, and nobody who recomputes it already.
    UNCOUNTED_AND_FREE = auto()


@dataclass(frozen=True)
class RecomputedDay:
    """A day that was recomputed: how many transactions it has, and how long it took."""

    day: date
    count: int
    seconds: float


def dirty_days(connection: Connection) -> list[date]:
    """Closed days that have rows in the speed layer, oldest first."""
    with transaction(connection):
        return [day for (day,) in _query(connection, "dirty_days")]


def all_days(connection: Connection) -> list[date]:
    """Days up to today that may have transactions, oldest first."""
    with transaction(connection):
        return [day for (day,) in _query(connection, "all_days")]


def recompute_days(days: Iterable[date], clock: Clock) -> Iterator[RecomputedDay]:
    """Recomputes days, each in a transaction of its own, and says so of each.

    Raises LambdaError for a day whose transactions retention dropped, DatabaseUnavailable.
    """
    with _connections(BATCH) as (connection, locks):
        yield from _recompute_days(connection, locks, days, clock)


def recompute_uncounted(clock: Clock, service: str) -> list[RecomputedDay]:
    """Recomputes the days of which some rows were stored without aggregates, with the rights of this service.

    Any number of programs may do so at once: each day is recomputed by one of them. Raises DatabaseUnavailable.
    """
    recomputed: list[RecomputedDay] = []
    with _connections(service) as (connection, locks):
        # First those that nobody else is at; then what others were at may be left.
        for need in (Need.UNCOUNTED_AND_FREE, Need.UNCOUNTED):
            with translated_errors():
                days = [day for (day,) in _query(locks, "uncounted_days")]
            recomputed += _recompute_days(connection, locks, days, clock, need)
    return recomputed


@contextmanager
def _connections(service: str) -> Iterator[tuple[Connection, Connection]]:
    with (
        closing(connect(service, "lambda-recompute", _ONE_SNAPSHOT)) as connection,
        closing(connect(service, "lambda-recompute locks")) as locks,
    ):
        locks.autocommit = True
        yield connection, locks


def _recompute_days(
    connection: Connection, locks: Connection, days: Iterable[date], clock: Clock, need: Need = Need.NONE
) -> Iterator[RecomputedDay]:
    with translated_errors():
        zone = ZoneInfo(time_zone_name(locks))
    for day in days:
        started = clock.monotonic()
        count = _recompute(connection, locks, day, zone, clock, need)
        if count is None:
            continue
        result = RecomputedDay(day, count, clock.monotonic() - started)
        logger.info(
            "%s recomputed in %.1f s: %d transactions",
            day,
            result.seconds,
            count,
            extra={"business_date": day, "transactions": count},
        )
        yield result


def _recompute(
    connection: Connection, locks: Connection, day: date, zone: ZoneInfo, clock: Clock, need: Need
) -> int | None:
    """How many transactions the day has; None when there is no need."""
    start, end = day_bounds(day, zone)
    values = {"day": day, "start": start, "end": end}
    with _only_recompute(locks, day, may_wait=need is not Need.UNCOUNTED_AND_FREE) as is_ours:
        if not is_ours or (need is not Need.NONE and not _query(locks, "is_uncounted", **values)[0][0]):
            return None
        if _query(locks, "dropped_at", day=day):
            raise LambdaError(
                f"{day} cannot be recomputed: retention dropped its transactions, only its aggregates are left"
            )
        with transaction(connection):
            with _no_writer(locks, day, clock):
                _query(locks, "begin_generation")
                _query(connection, "delete_speed_stats", **values)
            _query(connection, "delete_uncounted_minutes", **values)
            for step in _STEPS:
                _query(connection, step, **values)
            [(count,)] = _query(connection, "record_day", **values)
    return int(count)


@contextmanager
def _only_recompute(locks: Connection, day: date, may_wait: bool) -> Iterator[bool]:
    """Whether this is the only recompute of the day; when it may wait, it is."""
    with translated_errors():
        [(is_ours,)] = _query(locks, "lock_recompute" if may_wait else "try_lock_recompute", day=day)
        try:
            yield is_ours
        finally:
            if is_ours:
                _unlock(locks, "unlock_recompute", day)


@contextmanager
def _no_writer(locks: Connection, day: date, clock: Clock) -> Iterator[None]:
    """While the block runs, nobody adds aggregates to the day; those who did have committed."""
    is_first = True
    while not _lock_day(locks, day):
        if is_first:
            logger.info("Waiting for a load of %s to end", day)
        is_first = False
        clock.sleep(settings.RECOMPUTE_PAUSE_SECONDS)
    try:
        yield
    finally:
        _unlock(locks, "unlock_day", day)


def _lock_day(locks: Connection, day: date) -> bool:
    # New writers queue up behind us: those of the stream shall not wait for a load that takes long.
    try:
        _query(locks, "lock_day", day=day, milliseconds=int(settings.RECOMPUTE_LOCK_SECONDS * 1000))
    except LockTimeout:
        return False
    return True


def _unlock(locks: Connection, name: str, day: date) -> None:
    # With the connection the lock is gone as well.
    if not locks.closed:
        _query(locks, name, day=day)


def _query(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    return cast("list[tuple[Any, ...]]", fetch_all(connection, queries("recompute")[name], values))
