"""Rows and their aggregates into PostgreSQL: the one way for the stream and the batch.

`Store` commits both together; the functions below run inside its transaction.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

from lambda_app.core.transaction.aggregates import Aggregates
from lambda_app.core.transaction.conflicts import CONTENT, conflict_reason
from lambda_app.core.transaction.copy_text import COLUMNS, MINUTE_LENGTH
from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.outcome import Refusal, StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection, UndefinedTable, ValueRefused, savepoint, transaction
from lambda_app.database.copy import copy_in, copy_parts
from lambda_app.database.queries import Queries, array_literal
from lambda_app.database.zone import time_zone
from lambda_app.layers.day_tables import ensure_day_tables
from lambda_app.layers.speed_layer import SpeedLayer

_QUERIES = Queries("storage")
# The first valid time, 2000-01-01 in UTC, is on the day before in zones west of it.
_FIRST_DAY = date(1999, 12, 31)
# Rows in one part of the COPY into the temporary table.
_PART = 1_000
# The shards of the speed layer: workers of the stream have those that PostgreSQL assigns, 1 and up.
BATCH_SHARD = 0
RETRY_SHARD = -1


class Store:
    """The transactions of one writer: rows, and with the commit their aggregates.

    `shard` is the writer's own part of speed_stats: writers of different shards never wait for each other.
    """

    def __init__(self, connection: Connection, shard: int) -> None:
        """Asks for the zone that cuts the days, in a transaction of its own."""
        self.connection = connection
        with transaction(connection):
            self.days = Days(time_zone(connection))
        self._speed_layer = SpeedLayer(connection, self.days, shard)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end, with the aggregates of what was added; rolls back on an exception."""
        self._speed_layer.begin()
        with transaction(self.connection):
            yield
            self._speed_layer.flush()
        self._speed_layer.committed()

    @property
    def has_put_off(self) -> bool:
        """Whether the last transaction put off some aggregates, for `recompute_uncounted`."""
        return self._speed_layer.has_put_off

    def add(self, rows: Rows, expect_duplicates: bool = False) -> StoreResult:
        """Stores rows, inside `transaction`."""
        result = store_chunk(self.connection, rows, self.days, expect_duplicates)
        self._speed_layer.add(result.aggregates)
        return result

    def add_while_read(self, parts: Iterable[Rows], expect_duplicates: bool = False) -> StoreResult:
        """Stores rows, inside `transaction`: PostgreSQL does some while the iterator reads the next.

        The tables of their days are there already: a COPY does not see one that is created after its start.
        """
        rows = Rows()
        parts = _gathered(parts, rows)
        if not expect_duplicates and _copy_while_read(self.connection, parts):
            self._speed_layer.add(rows.aggregates)
            return StoreResult(len(rows), aggregates=rows.aggregates)
        # A COPY that failed has asked for some of the parts only: the others belong to these rows as well.
        for _ in parts:
            pass
        return self.add(rows, expect_duplicates=True)


def store_chunk(connection: Connection, rows: Rows, days: Days, expect_duplicates: bool = False) -> StoreResult:
    """Stores the rows that are not there yet, and says what became of each; for `Store`, which adds the aggregates.

    Fast path: COPY straight into the tables of the days. When a row turns out to be stored already, and at once with
    `expect_duplicates`, all go by a temporary table. A row that PostgreSQL refuses is reported, the others are stored.
    """
    if not rows.lines:
        return StoreResult(0)
    result = _store(connection, rows.lines, days.of(rows.minutes()), expect_duplicates)
    if result.stored == len(rows):
        return replace(result, aggregates=rows.aggregates)
    absent = {*result.duplicates, *(refusal.index for refusal in result.refused)}
    stored = [line for index, line in enumerate(rows.lines) if index not in absent]
    return replace(result, aggregates=Aggregates.of_lines(stored))


def _store(
    connection: Connection, lines: Sequence[str], days: Collection[date], expect_duplicates: bool
) -> StoreResult:
    try:
        return _store_in_one_go(connection, lines, days, expect_duplicates)
    except ValueRefused as error:
        if not expect_duplicates:
            return _store(connection, lines, days, expect_duplicates=True)
        if len(lines) == 1:
            return StoreResult(0, (), (Refusal(0, f"PostgreSQL refuses it: {error.diag.message_primary}"),))
    return _store_halves(connection, lines, days)


def _store_in_one_go(
    connection: Connection, lines: Sequence[str], days: Collection[date], expect_duplicates: bool
) -> StoreResult:
    if not expect_duplicates:
        # PostgreSQL finds the day's table of each row, unless all are of one day.
        [table] = [f"transactions_{day:%Y%m%d}" for day in days] if len(days) == 1 else ["transactions"]
        try:
            with savepoint(connection):
                # Sorted by key: PostgreSQL then fills one page of the index after the other, and two writers that store
                # the same rows cannot deadlock.
                _copy(connection, f"lambda.{table}", sorted(lines))
            return StoreResult(len(lines))
        except UndefinedTable:
            pass
    with savepoint(connection):
        return _store_new(connection, lines, days)


def _store_new(connection: Connection, lines: Sequence[str], days: Iterable[date]) -> StoreResult:
    # A row near midnight can belong to the table of the day before or after: when clocks go back at midnight, or when a
    # neighbour was cut in another zone.
    touched = {day + timedelta(days=shift) for day in days for shift in (-1, 0, 1)}
    # Retention may drop such a table before this line, and then it is created again, or after the commit.
    _QUERIES.run(connection, "hold_partitions")
    ensure_day_tables(connection, {day for day in touched if day >= _FIRST_DAY})
    _QUERIES.run(connection, "create_chunk_table")
    _QUERIES.run(connection, "empty_chunk_table")
    parts = ("".join(lines[place : place + _PART]).encode() for place in range(0, len(lines), _PART))
    copy_parts(connection, "pg_temp.chunk", COLUMNS, parts)
    present = [line - 1 for line in _QUERIES.column(connection, "insert_chunk", int)]
    conflicts = _find_conflicts(connection, lines, present)
    indexes = {conflict.index for conflict in conflicts}
    duplicates = tuple(index for index in present if index not in indexes)
    return StoreResult(len(lines) - len(present), duplicates, conflicts)


def _find_conflicts(connection: Connection, lines: Sequence[str], present: Sequence[int]) -> tuple[Refusal, ...]:
    """The conflicts: which of the rows that are stored already, given by their places, have other content."""
    if not present:
        return ()
    minutes = {lines[index][:MINUTE_LENGTH] for index in present}
    # As tuples: the columns of both rows have the same names.
    rows = _QUERIES.tuples(
        connection,
        "conflicts",
        lines=array_literal([index + 1 for index in present]),
        first=f"{min(minutes)}:00Z",
        last=f"{max(minutes)}:59.999999Z",
    )
    return tuple(
        Refusal(int(str(line)) - 1, conflict_reason(content[: len(CONTENT)], content[len(CONTENT) :]))
        for line, *content in rows
    )


def _store_halves(connection: Connection, lines: Sequence[str], days: Iterable[date]) -> StoreResult:
    """Stores each half by itself, down to the rows that PostgreSQL refuses. `days` may hold more than theirs."""
    middle = len(lines) // 2
    by_day: dict[date, Sequence[str]] = dict.fromkeys(days, ())
    left = _store(connection, lines[:middle], by_day, expect_duplicates=True)
    right = _store(connection, lines[middle:], by_day, expect_duplicates=True)
    return StoreResult(
        left.stored + right.stored,
        left.duplicates + tuple(middle + index for index in right.duplicates),
        left.refused + tuple(Refusal(middle + refusal.index, refusal.reason) for refusal in right.refused),
    )


def _gathered(parts: Iterable[Rows], rows: Rows) -> Iterator[Rows]:
    for part in parts:
        rows += part
        yield part


def _copy_while_read(connection: Connection, parts: Iterable[Rows]) -> bool:
    """Whether all could be stored, none of them otherwise."""
    try:
        with savepoint(connection):
            texts = ("".join(sorted(part.lines)).encode() for part in parts)
            copy_parts(connection, "lambda.transactions", COLUMNS, texts)
    except ValueRefused:
        return False
    return True


def _copy(connection: Connection, table: str, lines: Iterable[str]) -> None:
    copy_in(connection, table, COLUMNS, "".join(lines).encode())
