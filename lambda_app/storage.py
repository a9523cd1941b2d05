"""Rows into PostgreSQL: the one function behind the stream and the batch.

Everything here runs inside the caller's transaction; nothing here commits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from lambda_app.core.copy_text import COLUMNS
from lambda_app.core.days import Days
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

    # Its place in the lines given to `store_chunk`.
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


def store_chunk(
    connection: Connection, lines: Sequence[str], days: Days, expect_duplicates: bool = False
) -> StoreResult:
    """Stores the rows of these COPY lines that are not there yet, and says what became of each.

    Fast path: COPY straight into the partitions. When a row turns out to be stored already, and at once with
    `expect_duplicates`, all go by a temporary table. A row that PostgreSQL refuses is reported, the others are stored.
    """
    if not lines:
        return StoreResult(0)
    try:
        return _store_in_one_go(connection, lines, days, expect_duplicates)
    except ValueRefused as error:
        if not expect_duplicates:
            return store_chunk(connection, lines, days, expect_duplicates=True)
        if len(lines) == 1:
            return StoreResult(0, (), (Refusal(0, f"PostgreSQL refuses it: {error.diag.message_primary}"),))
    return _store_halves(connection, lines, days)


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


def _store_in_one_go(connection: Connection, lines: Sequence[str], days: Days, expect_duplicates: bool) -> StoreResult:
    by_day = days.split(lines)
    if expect_duplicates:
        with savepoint(connection):
            return _store_new(connection, lines, by_day)
    try:
        with savepoint(connection):
            for day, day_lines in by_day.items():
                # In the order of the key: PostgreSQL then fills one page of the index after the other.
                _copy(connection, f"lambda.transactions_{day:%Y%m%d}", sorted(day_lines))
    except UndefinedTable:
        with savepoint(connection):
            return _store_new(connection, lines, by_day)
    return StoreResult(len(lines))


def _store_new(connection: Connection, lines: Sequence[str], days: Iterable[date]) -> StoreResult:
    # The edges of a day may be its neighbours': it begins twice (clocks go back at midnight), or the zone was another.
    touched = {day + timedelta(days=shift) for day in days for shift in (-1, 0, 1)}
    ensure_partitions(connection, {day for day in touched if day >= _FIRST_DAY})
    fetch_all(connection, queries("storage")["create_chunk_table"])
    fetch_all(connection, queries("storage")["empty_chunk_table"])
    _copy(connection, "pg_temp.chunk", lines)
    rows = fetch_all(connection, queries("storage")["insert_chunk"])
    duplicates = tuple(int(str(line)) - 1 for (line,) in rows)
    return StoreResult(len(lines) - len(duplicates), duplicates)


def _store_halves(connection: Connection, lines: Sequence[str], days: Days) -> StoreResult:
    middle = len(lines) // 2
    left = store_chunk(connection, lines[:middle], days, expect_duplicates=True)
    right = store_chunk(connection, lines[middle:], days, expect_duplicates=True)
    return StoreResult(
        left.stored + right.stored,
        left.duplicates + tuple(middle + index for index in right.duplicates),
        left.refused + tuple(Refusal(middle + refusal.index, refusal.reason) for refusal in right.refused),
    )


def _copy(connection: Connection, table: str, lines: Iterable[str]) -> None:
    copy_in(connection, table, COLUMNS, "".join(lines).encode())
