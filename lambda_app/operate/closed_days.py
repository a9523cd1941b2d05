"""Days that have ended, each a table of `transactions`: their index on transaction_id, and the ids that occur twice."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.database.connection import Connection, LockTimeout
from lambda_app.database.locks import Lock, day_key
from lambda_app.database.queries import Name, Queries, union_all
from lambda_app.host.clock import Clock

logger = logging.getLogger(__name__)

_QUERIES = Queries("maintenance")


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day table whose days have ended: in nearly every case one day, its own."""

    day: date
    first_day: date
    last_day: date
    # Days between its last day and today.
    age_days: int
    # Whether the index on transaction_id exists.
    has_index: bool
    has_broken_index: bool
    is_to_count: bool

    @property
    def table(self) -> Name:
        return _table(self.day)

    @property
    def index(self) -> Name:
        return Name(f"{_table_name(self.day)}_id_idx")

    @property
    def days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]


@dataclass(frozen=True, slots=True)
class _RepeatedIds:
    """Transaction ids of a day that occur again, there or in the days before."""

    count: int
    # A few of them as literals of SQL, with commas between them.
    examples: str | None
    counted_at: datetime


def list_closed_days(connection: Connection) -> list[ClosedDay]:
    """The closed days whose transactions are still there, oldest first."""
    return _QUERIES.rows(connection, "closed_partitions", ClosedDay, days_before=settings.REPEATED_IDS_DAYS)


def build_indexes(connection: Connection, days: Sequence[ClosedDay], clock: Clock) -> None:
    """Builds the index that each of these days lacks; gives up until the next night when a transaction stays open."""
    _QUERIES.run(connection, "set_lock_timeout", milliseconds=int(settings.INDEX_LOCK_SECONDS * 1000))
    for closed in days:
        if closed.has_index:
            continue
        started = clock.monotonic()
        try:
            if closed.has_broken_index:
                _QUERIES.run(connection, "drop_broken_index", index=closed.index)
            _QUERIES.run(connection, "build_index", partition=closed.table, index=closed.index)
        except LockTimeout:
            logger.warning(
                "%s and the days after it get their index the next night: a transaction has been open for %d s"
                " (SELECT * FROM pg_stat_activity ORDER BY xact_start)",
                closed.day,
                settings.INDEX_LOCK_SECONDS,
                extra=Event.DAYS_NOT_INDEXED.fields(business_date=closed.day),
            )
            return
        logger.info(
            "%s indexed by transaction_id in %.1f s",
            closed.day,
            clock.monotonic() - started,
            extra=Event.DAY_INDEXED.fields(business_date=closed.day),
        )


def count_repeated_ids(connection: Connection, days: Sequence[ClosedDay], clock: Clock) -> None:
    """Counts, and says, which transaction ids of a day occur again in it or in the days before."""
    for closed in days:
        if not closed.is_to_count:
            continue
        started = clock.monotonic()
        first = closed.day - timedelta(days=settings.REPEATED_IDS_DAYS)
        within = [other.day for other in days if first <= other.day <= closed.day]
        ids = union_all(
            _QUERIES.part(connection, "ids_of_day", partition=_table(day), is_of_day=day == closed.day)
            for day in within
        )
        [repeated] = _QUERIES.rows(
            connection, "count_repeated_ids", _RepeatedIds, ids=ids, examples=settings.REPEATED_IDS_EXAMPLES
        )
        _QUERIES.run(
            connection,
            "record_repeated_ids",
            lock=Lock.RECOMPUTE,
            key=day_key(closed.day),
            day=closed.day,
            repeated_ids=repeated.count,
            closed_at=repeated.counted_at,
        )
        _report_repeated_ids(closed.day, first, repeated, clock.monotonic() - started)


def _report_repeated_ids(day: date, first: date, repeated: _RepeatedIds, seconds: float) -> None:
    fields = {"business_date": day, "repeated_ids": repeated.count}
    logger.info(
        "%s closed: %d repeated transaction ids, counted in %.1f s",
        day,
        repeated.count,
        seconds,
        extra=Event.DAY_CLOSED.fields(**fields),
    )
    if repeated.count:
        logger.warning(
            "%s has %d transaction ids that occur with another time too, that day or up to %d days before."
            " Look at some: SELECT * FROM transactions WHERE transaction_id IN (%s)"
            " AND event_time >= '%s' AND event_time < '%s' ORDER BY transaction_id, event_time",
            day,
            repeated.count,
            settings.REPEATED_IDS_DAYS,
            repeated.examples,
            first,
            day + timedelta(days=1),
            extra=Event.IDS_REPEATED.fields(**fields),
        )


def _table(day: date) -> Name:
    return Name(_table_name(day))


def _table_name(day: date) -> str:
    return f"transactions_{day:%Y%m%d}"
