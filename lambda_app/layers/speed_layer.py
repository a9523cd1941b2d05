"""Aggregates into the speed layer, in the transaction that stores their rows."""

from collections.abc import Iterable, Sequence

from lambda_app.core.transaction.aggregates import Aggregates, Columns
from lambda_app.core.transaction.copy_text import unescape
from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.stats import Key, Stat, Stats, merge
from lambda_app.database.connection import Connection, ValueRefused, savepoint
from lambda_app.database.copy import copy_parts
from lambda_app.database.locks import share_days
from lambda_app.database.queries import Queries, array_literal
from lambda_app.layers.putting_off import PuttingOff, read_generation

_QUERIES = Queries("speed_layer")
# From this many keys on, COPY beats an upsert.
_MANY_KEYS = 5_000
# Keys of one part of a COPY: PostgreSQL stores it while the next is encoded.
_PART = 500
# Flush at this many keys, which bounds memory. A day of ten categories and four types has 57,600.
_MOST_KEYS = 60_000
_KEY_COLUMNS = ("shard", "generation", "minute", "merchant_category", "transaction_type")
_COLUMNS = (*_KEY_COLUMNS, "count", "amount_sum", "amount_min", "amount_max", "risk_sum", "high_risk_count")


def assign_shard(connection: Connection, member: str) -> int:
    """The shard of a member of the consumer group, which no other member has, on whichever host."""
    return _QUERIES.value(connection, "assign_shard", int, member=member)


class SpeedLayer:
    """A writer's own shard of speed_stats: writers of different shards never wait for each other.

    Aggregates that are added are gathered in memory, and recorded when they are many, or by `flush`.
    """

    def __init__(self, connection: Connection, days: Days, shard: int) -> None:
        self._connection = connection
        self._days = days
        self._shard = shard
        self._putting_off = PuttingOff(connection, days)
        self.begin()

    def begin(self) -> None:
        """Begins a transaction: what the one before gathered and did not flush is forgotten."""
        self._gathered: Stats = {}
        self._columns: list[Columns] = []
        self._expects_new_keys = True
        self._putting_off.begin()

    def committed(self) -> None:
        """Ends a transaction."""
        self._putting_off.committed()

    @property
    def has_put_off(self) -> bool:
        """Whether the transaction put off some aggregates."""
        return self._putting_off.has_put_off

    def add(self, aggregates: Aggregates) -> None:
        """Adds the aggregates of rows that the transaction has just stored."""
        self._columns += aggregates.columns
        if sum(len(columns.minutes) for columns in self._columns) > _MOST_KEYS:
            self._put_off_or_gather()
        stats = aggregates.stats
        merge(self._gathered, stats)
        if stats and len(self._gathered) > _MANY_KEYS:
            # Rows in the order of time add nothing to earlier minutes: their keys can be recorded.
            oldest_minute, _, _ = min(stats)
            past = [key for key in self._gathered if key[0] < oldest_minute]
            if len(self._gathered) > _MOST_KEYS:
                self.flush()
            elif len(past) > _MANY_KEYS:
                self._record({key: self._gathered.pop(key) for key in past})

    def flush(self) -> None:
        """Records all that was added, before the commit."""
        self._put_off_or_gather()
        self._record(self._gathered)
        self._gathered = {}

    def _record(self, stats: Stats) -> None:
        if not stats:
            return
        share_days(self._connection, self._days.of({minute for minute, _, _ in stats}))
        items = sorted(stats.items())
        if len(stats) > _MANY_KEYS and self._expects_new_keys:
            self._expects_new_keys = insert_stats(self._connection, self._shard, items)
            if self._expects_new_keys:
                return
        upsert_stats(self._connection, self._shard, items)

    def _put_off_or_gather(self) -> None:
        columns, self._columns = self._columns, []
        if sum(len(each.minutes) for each in columns) > _MANY_KEYS:
            columns = self._putting_off.put_off(columns)
        for each in columns:
            merge(self._gathered, each.aggregate())


def insert_stats(connection: Connection, shard: int, items: Sequence[tuple[Key, Stat]]) -> bool:
    """Adds aggregates of new keys, twice as fast as an upsert; False, and nothing is added, when one is not new."""
    start = f"{shard}\t{read_generation(connection)}"
    parts = (_encode(start, items[place : place + _PART]) for place in range(0, len(items), _PART))
    try:
        with savepoint(connection):
            copy_parts(connection, "lambda.speed_stats", _COLUMNS, parts)
    except ValueRefused:
        return False
    return True


def _encode(start: str, items: Iterable[tuple[Key, Stat]]) -> bytes:
    return "".join(
        f"{start}\t{minute}Z\t{category}\t{transaction_type}\t{rows}\t{total}e-2\t{low}e-2\t{high}e-2\t{risk}e-2\t{risks}\n"
        for (minute, category, transaction_type), (rows, total, low, high, risk, risks) in items
    ).encode()


def upsert_stats(connection: Connection, shard: int, items: Iterable[tuple[Key, Stat]]) -> None:
    """Adds aggregates to those of the same keys."""
    keys, stats = zip(*items, strict=True)
    minutes, categories, types = zip(*keys, strict=True)
    columns = dict(zip(Stat._fields, zip(*stats, strict=True), strict=True))
    _QUERIES.run(
        connection,
        "upsert_stats",
        shard=shard,
        minutes=array_literal([minute + "Z" for minute in minutes]),
        categories=array_literal(map(unescape, categories)),
        types=array_literal(map(unescape, types)),
        **{name: array_literal(values) for name, values in columns.items()},
    )
