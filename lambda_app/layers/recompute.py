"""The batch layer: a day's aggregates counted again from its transactions, while the stream goes on.

A day is one transaction whose first statement deletes its rows of the speed layer and so takes the snapshot. At that
moment a lock keeps the day's writers out: their rows and aggregates are in the snapshot together or not at all.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.connection import BATCH, Connection, connect, transaction, translated_errors
from lambda_app.database.locks import Lock, day_key, release, take
from lambda_app.database.queries import Queries
from lambda_app.database.zone import time_zone
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock

logger = logging.getLogger(__name__)

_QUERIES = Queries("recompute")
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
    # The day has rows without aggregates.
    UNCOUNTED = auto()
    # The day has rows without aggregates, and nobody else recomputes it.
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
        return _QUERIES.column(connection, "dirty_days", date)


def all_days(connection: Connection) -> list[date]:
    """Days up to today that may have transactions, oldest first."""
    with transaction(connection):
        return _QUERIES.column(connection, "all_days", date)


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
        # First the days that nobody else recomputes; then those that others were recomputing, if rows are still
        # uncounted.
        for need in (Need.UNCOUNTED_AND_FREE, Need.UNCOUNTED):
            with translated_errors():
                days = _QUERIES.column(locks, "uncounted_days", date)
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
        zone = time_zone(locks)
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
            extra=Event.DAY_RECOMPUTED.fields(business_date=day, transactions=count),
        )
        yield result


def _recompute(
    connection: Connection, locks: Connection, day: date, zone: ZoneInfo, clock: Clock, need: Need
) -> int | None:
    """How many transactions the day has; None when there is no need."""
    start, end = day_bounds(day, zone)
    values = {"day": day, "start": start, "end": end}
    with _only_recompute(locks, day, may_wait=need is not Need.UNCOUNTED_AND_FREE) as is_ours:
        if not is_ours or (need is not Need.NONE and not _QUERIES.value(locks, "is_uncounted", bool, **values)):
            return None
        if _QUERIES.value_or_none(locks, "dropped_at", datetime, day=day):
            raise LambdaError(
                f"{day} cannot be recomputed: retention dropped its transactions, only its aggregates are left"
            )
        with transaction(connection):
            with _no_writer(locks, day, clock):
                _QUERIES.run(locks, "begin_generation")
                _QUERIES.run(connection, "delete_speed_stats", **values)
            _QUERIES.run(connection, "delete_uncounted_minutes", **values)
            for step in _STEPS:
                _QUERIES.run(connection, step, **values)
            return _QUERIES.value(connection, "record_day", int, **values)


@contextmanager
def _only_recompute(locks: Connection, day: date, may_wait: bool) -> Iterator[bool]:
    """Whether this is the only recompute of the day; when it may wait, it is."""
    with translated_errors():
        is_ours = take(locks, Lock.RECOMPUTE, None if may_wait else 0, day_key(day))
        try:
            yield is_ours
        finally:
            if is_ours:
                release(locks, Lock.RECOMPUTE, day_key(day))


@contextmanager
def _no_writer(locks: Connection, day: date, clock: Clock) -> Iterator[None]:
    """While the block runs, nobody adds aggregates to the day; those who did have committed."""
    is_first = True
    # New writers queue behind our request for the lock. The timeout keeps those of the stream from waiting for a long
    # load.
    while not take(locks, Lock.DAY, settings.RECOMPUTE_LOCK_SECONDS, day_key(day)):
        if is_first:
            logger.info("Waiting for a load of %s to end", day, extra=Event.LOAD_AWAITED.fields(business_date=day))
        is_first = False
        clock.sleep(settings.RECOMPUTE_PAUSE_SECONDS)
    try:
        yield
    finally:
        release(locks, Lock.DAY, day_key(day))
