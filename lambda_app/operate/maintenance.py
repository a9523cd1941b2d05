"""The housekeeping of each night: partitions ahead of time, the index and the count of each closed day, retention.

Each step looks at what there is and does what is missing: killed at any point, the next run goes on from there.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from lambda_app import settings
from lambda_app.core.backoff import Backoff
from lambda_app.database.connection import OWNER, Connection, DependentObjects, LockTimeout, connect, translated_errors
from lambda_app.database.queries import fetch_all, queries
from lambda_app.errors import DatabaseUnavailable, LambdaError
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import ensure_day_tables

logger = logging.getLogger(__name__)


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
    def name(self) -> str:
        return _partition_name(self.day)

    @property
    def days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]


def maintain(retention_days: int | None, clock: Clock) -> None:
    """Does all that is missing, days past retention (None: keep all) last; waits while PostgreSQL is away.

    Raises LambdaError when something does not go away by waiting.
    """
    backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
    while True:
        try:
            with closing(_connect()) as connection:
                _maintain_once(connection, retention_days, clock)
                return
        except DatabaseUnavailable as error:
            logger.warning("The maintenance goes on when PostgreSQL is back: %s", error)
            clock.sleep(backoff.next_delay())


def _connect() -> Connection:
    # Of the ids that it groups, the planner expects far too few: in memory they would not fit.
    connection = connect(OWNER, "lambda-db-maintenance", {"enable_hashagg": "off"})
    # An index is built outside of any transaction.
    connection.autocommit = True
    return connection


def _maintain_once(connection: Connection, retention_days: int | None, clock: Clock) -> None:
    try:
        with translated_errors():
            if not _lock(connection, clock):
                logger.warning("Another maintenance is at work: nothing to do for this one")
                return
            [(today,)] = _query(connection, "today")
            ensure_day_tables(connection, (today, today + timedelta(days=1)))
            closed = [
                _Partition(*row)
                for row in _query(connection, "closed_partitions", days_before=settings.REPEATED_IDS_DAYS)
            ]
            _build_indexes(connection, closed, clock)
            _count_repeated_ids(connection, closed, clock)
            if retention_days is not None:
                past = [partition for partition in closed if partition.age_days > retention_days]
                _drop_partitions(connection, past, clock)
    except DatabaseUnavailable as error:
        # An outage breaks the connection; what PostgreSQL says on a whole one is there to stay.
        if connection.closed:
            raise
        raise LambdaError(f"The maintenance failed, and goes on the next night: {error}") from error


def _lock(connection: Connection, clock: Clock) -> bool:
    deadline = clock.monotonic() + settings.MAINTENANCE_LOCK_SECONDS
    while True:
        [(locked,)] = _query(connection, "try_lock")
        if locked or clock.monotonic() >= deadline:
            return bool(locked)
        clock.sleep(settings.MAINTENANCE_POLL_SECONDS)


def _build_indexes(connection: Connection, partitions: Sequence[_Partition], clock: Clock) -> None:
    fetch_all(connection, f"SET lock_timeout = '{settings.INDEX_LOCK_SECONDS}s'")
    for partition in partitions:
        if partition.has_index:
            continue
        started = clock.monotonic()
        try:
            if partition.has_broken_index:
                _query(connection, "drop_broken_index", partition=partition.name)
            _query(connection, "build_index", partition=partition.name)
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
        [(count, examples, counted_at)] = _query(
            connection,
            "count_repeated_ids",
            ids=" UNION ALL ".join(
                f"SELECT transaction_id, {day == partition.day} AS is_of_day FROM lambda.{_partition_name(day)}"
                for day in days
            ),
            examples=settings.REPEATED_IDS_EXAMPLES,
        )
        _query(connection, "record_repeated_ids", day=partition.day, repeated_ids=count, closed_at=counted_at)
        _report_repeated_ids(partition.day, first, count, examples, clock.monotonic() - started)


def _report_repeated_ids(day: date, first: date, count: int, examples: str | None, seconds: float) -> None:
    fields = {"business_date": day, "repeated_ids": count}
    logger.info("%s closed: %d repeated transaction ids, counted in %.1f s", day, count, seconds, extra=fields)
    if count:
        logger.warning(
            "%s has %d transaction ids that occur with another time too, that day or up to %d days before."
            " Look at some: SELECT * FROM transactions WHERE transaction_id IN (%s)"
            " AND event_time >= '%s' AND event_time < '%s' ORDER BY transaction_id, event_time",
            day,
            count,
            settings.REPEATED_IDS_DAYS,
            examples,
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
        _query(
            connection,
            "drop_partition",
            partition=partition.name,
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


def _partition_name(day: date) -> str:
    return f"transactions_{day:%Y%m%d}"


def _query(
    connection: Connection, name: str, partition: str = "", ids: str = "", **values: object
) -> list[tuple[Any, ...]]:
    query = queries("maintenance")[name].replace("{partition}", partition).replace("{ids}", ids)
    return cast("list[tuple[Any, ...]]", fetch_all(connection, query, values))
