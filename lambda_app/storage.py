"""Rows into PostgreSQL: the one function behind the stream and the batch.

Everything here runs inside the caller's transaction; nothing here commits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from lambda_app.core.copy_text import COLUMNS, encode_rows
from lambda_app.core.message import Transaction
from lambda_app.database import (
    Connection,
    UndefinedTable,
    ValueRefused,
    copy_in,
    fetch_all,
    insert_many,
    queries,
    savepoint,
)

# 2000-01-01 in UTC is still the day before in the west.
_FIRST_DAY = date(1999, 12, 31)


@dataclass(frozen=True)
class Refusal:
    """A row that passed our checks and PostgreSQL refused all the same."""

    # Its place in the rows given to `store_chunk`.
    index: int
    reason: str


@dataclass(frozen=True)
class StoreResult:
    """What became of the rows of a chunk: stored, duplicate and refused add up to its length."""

    stored: int
    # The places of rows whose (event_time, transaction_id) was there already, or stands earlier in the chunk.
    duplicates: tuple[int, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def duplicate(self) -> int:
        """How many rows were there already."""
        return len(self.duplicates)


@dataclass(frozen=True)
class DeadLetter:
    """What was not valid and where it came from: topic, partition and offset, or file and line."""

    reason: str
    # None for a message without a value.
    raw: bytes | None
    topic: str | None = None
    topic_id: UUID | None = None
    partition: int | None = None
    offset: int | None = None
    file: str | None = None
    line: int | None = None


def session_zone(connection: Connection) -> ZoneInfo:
    """The time zone that cuts the days; asks nothing over the wire."""
    return ZoneInfo(connection.info.parameter_status("TimeZone") or "UTC")


def split_by_day(rows: Iterable[Transaction], zone: ZoneInfo) -> dict[date, list[Transaction]]:
    """The rows of each day of that zone, in their order."""
    days: dict[date, list[Transaction]] = {}
    # Neighbours are of one day nearly always: its bounds are compared, not each date worked out.
    start = end = datetime.min.replace(tzinfo=UTC)
    day_rows: list[Transaction] = []
    for row in rows:
        if not start <= row.event_time < end:
            day = row.event_time.astimezone(zone).date()
            start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
            day_rows = days.setdefault(day, [])
        day_rows.append(row)
    return days


def store_chunk(
    connection: Connection,
    rows: Sequence[Transaction],
    ingestion_type: str,
    expect_duplicates: bool = False,
) -> StoreResult:
    """Stores the rows that are not there yet, and says what became of each.

    Fast path: COPY straight into the partitions. When a row turns out to be stored already, and at once with
    `expect_duplicates`, all go by a temporary table. A row that PostgreSQL refuses is reported, the others are stored.
    """
    if not rows:
        return StoreResult(0)
    try:
        return _store_in_one_go(connection, rows, ingestion_type, expect_duplicates)
    except ValueRefused as error:
        if not expect_duplicates:
            return store_chunk(connection, rows, ingestion_type, expect_duplicates=True)
        if len(rows) == 1:
            return StoreResult(0, (), (Refusal(0, f"PostgreSQL refuses it: {error.diag.message_primary}"),))
    return _store_halves(connection, rows, ingestion_type)


def ensure_partitions(connection: Connection, days: Iterable[date]) -> None:
    """Makes the partitions of these days unless they are there. Commit soon: other makers of partitions wait."""
    for day in sorted(days):
        fetch_all(connection, queries("storage")["ensure_partition"], {"day": day})


def record_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Writes dead letters."""
    insert_many(
        connection,
        queries("storage")["insert_dead_letters"],
        [
            (x.topic, x.topic_id and str(x.topic_id), x.partition, x.offset, x.file, x.line, x.raw, x.reason)
            for x in letters
        ],
        template="(%s, %s::uuid, %s, %s, %s, %s, %s, %s)",
    )


def _store_in_one_go(
    connection: Connection, rows: Sequence[Transaction], ingestion_type: str, expect_duplicates: bool
) -> StoreResult:
    days = split_by_day(rows, session_zone(connection))
    if expect_duplicates:
        with savepoint(connection):
            return _store_new(connection, rows, days, ingestion_type)
    try:
        with savepoint(connection):
            _copy_into_partitions(connection, days, ingestion_type)
    except UndefinedTable:
        with savepoint(connection):
            return _store_new(connection, rows, days, ingestion_type)
    return StoreResult(len(rows))


def _copy_into_partitions(
    connection: Connection, days: Mapping[date, Sequence[Transaction]], ingestion_type: str
) -> None:
    for day, rows in days.items():
        _copy(connection, f"lambda.transactions_{day:%Y%m%d}", rows, ingestion_type)


def _store_new(
    connection: Connection, rows: Sequence[Transaction], days: Iterable[date], ingestion_type: str
) -> StoreResult:
    # The edges of a day may be its neighbours': it begins twice (clocks go back at midnight), or the zone was another.
    touched = {day + timedelta(days=shift) for day in days for shift in (-1, 0, 1)}
    ensure_partitions(connection, {day for day in touched if day >= _FIRST_DAY})
    fetch_all(connection, queries("storage")["create_chunk_table"])
    fetch_all(connection, queries("storage")["empty_chunk_table"])
    _copy(connection, "pg_temp.chunk", rows, ingestion_type)
    new_keys = set(fetch_all(connection, queries("storage")["insert_chunk"]))
    duplicates = []
    for index, row in enumerate(rows):
        key = (row.event_time, row.transaction_id)
        # Of rows with one key the first is the stored one.
        if key in new_keys:
            new_keys.remove(key)
        else:
            duplicates.append(index)
    return StoreResult(len(rows) - len(duplicates), tuple(duplicates))


def _store_halves(connection: Connection, rows: Sequence[Transaction], ingestion_type: str) -> StoreResult:
    middle = len(rows) // 2
    left = store_chunk(connection, rows[:middle], ingestion_type, expect_duplicates=True)
    right = store_chunk(connection, rows[middle:], ingestion_type, expect_duplicates=True)
    return StoreResult(
        left.stored + right.stored,
        left.duplicates + tuple(middle + index for index in right.duplicates),
        left.refused + tuple(Refusal(middle + refusal.index, refusal.reason) for refusal in right.refused),
    )


def _copy(connection: Connection, table: str, rows: Iterable[Transaction], ingestion_type: str) -> None:
    copy_in(connection, table, COLUMNS, encode_rows(rows, ingestion_type))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), zone).astimezone(UTC)
