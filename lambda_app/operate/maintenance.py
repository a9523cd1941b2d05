"""The housekeeping of each night: partitions ahead of time, the index and the count of each closed day, retention.

Each step looks at what there is and does what is missing: killed at any point, the next run goes on from there.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from lambda_app import settings
from lambda_app.database.connection import OWNER, Connection, DependentObjects, LockTimeout, connect, translated_errors
from lambda_app.database.locks import Lock, day_key, hold
from lambda_app.database.patience import is_outage, patiently
from lambda_app.database.queries import Name, Queries, union_all
from lambda_app.database.zone import today
from lambda_app.errors import DatabaseUnavailable, LambdaError
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import ensure_day_tables

logger = logging.getLogger(__name__)

_QUERIES = Queries("maintenance")


@dataclass(frozen=True, slots=True)
class _Partition:
    """A partition whose days have ended: in nearly every case one day, its own."""

    day: date
    first_day: date
    last_day: date
    # How many days before today the last one was.
    age_days: int
    # On transaction_id.
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


def maintain(retention_days: int | None, clock: Clock) -> None:
    """Does all that is missing, days past retention (None: keep all) last; waits while PostgreSQL is away.

    Raises LambdaError when something does not go away by waiting.
    """
    work = partial(_maintain_once, retention_days, clock)
    patiently(work, clock, "The maintenance goes on when PostgreSQL is back")


def _connect() -> Connection:
    # Of the ids that it groups, the planner expects far too few: in memory they would not fit.
    connection = connect(OWNER, "lambda-db-maintenance", {"enable_hashagg": "off"})
    # An index is built outside of any transaction.
    connection.autocommit = True
    return connection


def _maintain_once(retention_days: int | None, clock: Clock) -> None:
    with closing(_connect()) as connection:
        try:
            _do_what_is_missing(connection, retention_days, clock)
        except DatabaseUnavailable as error:
            if is_outage(error, connection):
                raise
            raise LambdaError(f"The maintenance failed, and goes on the next night: {error}") from error


def _do_what_is_missing(connection: Connection, retention_days: int | None, clock: Clock) -> None:
    with translated_errors():
        if not hold(connection, Lock.MAINTENANCE, settings.LOCK_WAIT_SECONDS, clock):
            logger.warning("Another maintenance is at work: nothing to do for this one")
            return
        this_day = today(connection)
        ensure_day_tables(connection, (this_day, this_day + timedelta(days=1)))
        closed = _QUERIES.rows(connection, "closed_partitions", _Partition, days_before=settings.REPEATED_IDS_DAYS)
        _build_indexes(connection, closed, clock)
        _count_repeated_ids(connection, closed, clock)
        if retention_days is not None:
            past = [partition for partition in closed if partition.age_days > retention_days]
            _drop_partitions(connection, past, clock)


def _build_indexes(connection: Connection, partitions: Sequence[_Partition], clock: Clock) -> None:
    _QUERIES.run(connection, "set_lock_timeout", milliseconds=int(settings.INDEX_LOCK_SECONDS * 1000))
    for partition in partitions:
        if partition.has_index:
            continue
        started = clock.monotonic()
        try:
            if partition.has_broken_index:
                _QUERIES.run(connection, "drop_broken_index", index=partition.index)
            _QUERIES.run(connection, "build_index", partition=partition.table, index=partition.index)
        except LockTimeout:
            logger.warning(
                "%s and the days after it get their index the next night: a transaction has been open for %d s"
                " (SELECT * FROM pg_stat_activity ORDER BY xact_start)",
                partition.day,
                settings.INDEX_LOCK_SECONDS,
            )
            return
        logger.info(
            "%s indexed by transaction_id in %.1f s",
            partition.day,
            clock.monotonic() - started,
            extra={"business_date": partition.day},
        )


def _count_repeated_ids(connection: Connection, partitions: Sequence[_Partition], clock: Clock) -> None:
    for partition in partitions:
        if not partition.is_to_count:
            continue
        started = clock.monotonic()
        first = partition.day - timedelta(days=settings.REPEATED_IDS_DAYS)
        days = [other.day for other in partitions if first <= other.day <= partition.day]
        ids = union_all(
            _QUERIES.part(connection, "ids_of_day", partition=_table(day), is_of_day=day == partition.day)
            for day in days
        )
        [repeated] = _QUERIES.rows(
            connection, "count_repeated_ids", _RepeatedIds, ids=ids, examples=settings.REPEATED_IDS_EXAMPLES
        )
        _QUERIES.run(
            connection,
            "record_repeated_ids",
            lock=Lock.RECOMPUTE,
            key=day_key(partition.day),
            day=partition.day,
            repeated_ids=repeated.count,
            closed_at=repeated.counted_at,
        )
        _report_repeated_ids(partition.day, first, repeated, clock.monotonic() - started)


def _report_repeated_ids(day: date, first: date, repeated: _RepeatedIds, seconds: float) -> None:
    fields = {"business_date": day, "repeated_ids": repeated.count}
    logger.info("%s closed: %d repeated transaction ids, counted in %.1f s", day, repeated.count, seconds, extra=fields)
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
            extra=fields,
        )


def _drop_partitions(connection: Connection, partitions: Sequence[_Partition], clock: Clock) -> None:
    deadline = clock.monotonic() + settings.DROP_WAIT_SECONDS
    for partition in partitions:
        while not _drop(connection, partition):
            if clock.monotonic() >= deadline:
                logger.warning(
                    "%s and the days after it that are past retention are dropped the next night: transactions has been"
                    " in use without a break for %d s (SELECT * FROM pg_stat_activity ORDER BY xact_start)",
                    partition.day,
                    settings.DROP_WAIT_SECONDS,
                )
                return
            clock.sleep(settings.DROP_PAUSE_SECONDS)
        logger.info(
            "%s is past retention: its transactions are dropped, its aggregates stay",
            partition.day,
            extra={"business_date": partition.day},
        )


def _drop(connection: Connection, partition: _Partition) -> bool:
    """False when the table was in use."""
    try:
        _QUERIES.run(
            connection,
            "drop_partition",
            lock=Lock.RECOMPUTE,
            keys=list(map(day_key, partition.days)),
            partition=partition.table,
            days=partition.days,
            milliseconds=int(settings.DROP_LOCK_SECONDS * 1000),
        )
    except LockTimeout:
        return False
    except DependentObjects as error:
        raise LambdaError(
            f"{partition.day} is past retention and cannot be dropped: {error.diag.message_detail}. Drop that first"
        ) from error
    return True


def _table(day: date) -> Name:
    return Name(_table_name(day))


def _table_name(day: date) -> str:
    return f"transactions_{day:%Y%m%d}"
