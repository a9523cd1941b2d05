"""Aggregates into the speed layer, in the transaction that stores their rows.

Where nearly each row has a key of its own, an upsert for each would cost more than the rows. Then the speed layer only
notes the minutes that they are of: readers count those, and a recompute of the day works them out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import cast

from lambda_app.core.aggregates import Aggregates, Columns, are_keys_rare
from lambda_app.core.copy_text import unescape
from lambda_app.core.days import Days
from lambda_app.core.stats import Key, Stat, Stats, merge
from lambda_app.database import Connection, ValueRefused, array_literal, copy_parts, fetch_all, queries, savepoint

# So many keys are worth a COPY.
_MANY_KEYS = 5_000
# A part of them, to be stored while the next is written.
_PART = 500
# Some more than a day has of ten categories and four types; and memory stays bounded.
_MOST_KEYS = 60_000
_KEY_COLUMNS = ("shard", "generation", "minute", "merchant_category", "transaction_type")
_COLUMNS = (*_KEY_COLUMNS, "count", "amount_sum", "amount_min", "amount_max", "risk_sum", "high_risk_count")


class SpeedLayer:
    """A writer's own shard of speed_stats: writers of different shards never wait for each other.

    What is added is gathered and recorded, a bulk at a time, until `flush` records the rest.
    """

    def __init__(self, connection: Connection, days: Days, shard: int) -> None:
        self._connection = connection
        self._days = days
        self._shard = shard
        # The minutes that are noted as uncounted, and their days, as long as no recompute begins.
        self._noted: set[str] = set()
        self._noted_days: set[date] = set()
        self._generation = 0
        # Rare keys that were upserted all the same.
        self._upserted: Counter[date] = Counter()
        self._has_committed = True
        self.begin()

    def begin(self) -> None:
        """Begins a transaction: what the one before gathered and did not flush is forgotten."""
        self._gathered: Stats = {}
        self._columns: list[Columns] = []
        self._expects_new_keys = True
        # Whether some aggregates were put off.
        self.has_put_off = False
        if not self._has_committed:
            self._forget_noted()
        self._has_committed = False

    def committed(self) -> None:
        """Ends a transaction: what it noted stands."""
        self._has_committed = True

    def add(self, aggregates: Aggregates) -> None:
        """Adds the aggregates of rows that the transaction has just stored."""
        self._columns += aggregates.columns
        if sum(len(columns.minutes) for columns in self._columns) > _MOST_KEYS:
            self._put_off_or_gather()
        stats = aggregates.stats
        merge(self._gathered, stats)
        if stats and len(self._gathered) > _MANY_KEYS:
            # Where rows come in the order of their times, there is no more to come of the minutes before.
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
        self._lock(self._days.of({minute for minute, _, _ in stats}))
        items = sorted(stats.items())
        if len(stats) > _MANY_KEYS and self._expects_new_keys:
            self._expects_new_keys = insert_stats(self._connection, self._shard, items)
            if self._expects_new_keys:
                return
        upsert_stats(self._connection, self._shard, items)

    def _lock(self, days: Collection[date]) -> None:
        # Waits for a recompute that takes its snapshot of one of these days: these rows and aggregates come after.
        fetch_all(self._connection, queries("speed_layer")["lock_days"], {"days": sorted(set(days))})

    def _put_off_or_gather(self) -> None:
        columns, self._columns = self._columns, []
        if sum(len(each.minutes) for each in columns) > _MANY_KEYS:
            columns = self._put_off(columns)
        for each in columns:
            merge(self._gathered, each.aggregate())

    def _put_off(self, columns: Sequence[Columns]) -> list[Columns]:
        """Notes the minutes of days that are better counted as a whole; gives the rows of the others."""
        minutes = Aggregates({}, list(columns)).minutes()
        days = self._days.by_minute(minutes)
        self._lock(days.values())
        generation = read_generation(self._connection)
        if generation != self._generation:
            # A recompute may have worked out what was noted.
            self._forget_noted()
            self._generation = generation
        if not minutes <= self._noted:
            if not self._noted_days.issuperset(days.values()):
                self._noted_days |= self._days_to_put_off(columns, days)
            self._note([minute for minute in minutes - self._noted if days[minute] in self._noted_days])
        self.has_put_off = self.has_put_off or not minutes.isdisjoint(self._noted)
        return [] if minutes <= self._noted else list(_without(columns, self._noted))

    def _days_to_put_off(self, columns: Sequence[Columns], days: Mapping[str, date]) -> set[date]:
        """Days in which keys are rare, and of which there have been enough to make up for counting the day."""
        distinct = set[Key]().union(*[each.keys() for each in columns])
        keys = Counter(days[minute] for minute, _, _ in distinct)
        rows = Counter(days[minute] for each in columns for minute in each.minutes)
        self._upserted.update({day: count for day, count in keys.items() if are_keys_rare(count, rows[day])})
        put_off = fetch_all(
            self._connection,
            queries("speed_layer")["days_to_put_off"],
            {"days": list(self._upserted), "keys": list(self._upserted.values())},
        )
        for (day,) in put_off:
            del self._upserted[cast("date", day)]
        return {cast("date", day) for (day,) in put_off}

    def _note(self, minutes: Collection[str]) -> None:
        if minutes:
            array = array_literal([minute + "Z" for minute in sorted(minutes)])
            fetch_all(self._connection, queries("speed_layer")["put_off_minutes"], {"minutes": array})
            self._noted.update(minutes)

    def _forget_noted(self) -> None:
        self._noted.clear()
        self._noted_days.clear()


def _without(columns: Iterable[Columns], minutes: Collection[str]) -> Iterator[Columns]:
    """The rows of other minutes."""
    for each in columns:
        rows = [row for row in zip(*each, strict=True) if row[0] not in minutes]
        if rows:
            yield Columns(*zip(*rows, strict=True))


def read_generation(connection: Connection) -> int:
    """Which generation of rows is written now; behind the lock of a day it is the one after any recompute of it."""
    [(generation,)] = fetch_all(connection, queries("speed_layer")["generation"])
    return int(str(generation))


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
    fetch_all(
        connection,
        queries("speed_layer")["upsert_stats"],
        {
            "shard": shard,
            "minutes": array_literal([minute + "Z" for minute in minutes]),
            "categories": array_literal(map(unescape, categories)),
            "types": array_literal(map(unescape, types)),
            **{name: array_literal(values) for name, values in columns.items()},
        },
    )
