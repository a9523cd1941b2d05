"""Aggregates that are put off: where nearly each row has a key of its own, an upsert for each costs more than the rows.

Their minutes are noted, in the transaction that stores the rows: readers count those minutes from `transactions`, and a
recompute of the day works them out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from lambda_app.core.transaction.aggregates import Columns, are_keys_rare
from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.stats import Key
from lambda_app.database.connection import Connection
from lambda_app.database.locks import share_days
from lambda_app.database.queries import Queries, array_literal

_QUERIES = Queries("speed_layer")


class PuttingOff:
    """What a writer has noted, and need not note again as long as no recompute begins."""

    def __init__(self, connection: Connection, days: Days) -> None:
        self._connection = connection
        self._days = days
        # The minutes that this writer has noted, and their days.
        self._noted: set[str] = set()
        self._noted_days: set[date] = set()
        self._generation = 0
        # For each day the rare keys that were upserted, since counting the day again would have cost more.
        self._upserted: Counter[date] = Counter()
        self._has_committed = True
        self.has_put_off = False

    def begin(self) -> None:
        """Begins a transaction: what the one before noted stands only if it was committed."""
        if not self._has_committed:
            self._forget()
        self._has_committed = False
        self.has_put_off = False

    def committed(self) -> None:
        """Ends a transaction."""
        self._has_committed = True

    def put_off(self, columns: Sequence[Columns]) -> list[Columns]:
        """Notes the minutes of days that are better counted as a whole; gives the rows of the others."""
        minutes = set[str]().union(*[each.minutes for each in columns])
        days = self._days.by_minute(minutes)
        share_days(self._connection, days.values())
        generation = read_generation(self._connection)
        if generation != self._generation:
            # A recompute has begun since, and may have removed the notes.
            self._forget()
            self._generation = generation
        if not minutes <= self._noted:
            if not self._noted_days.issuperset(days.values()):
                self._noted_days |= self._days_to_put_off(columns, days)
            self._note([minute for minute in minutes - self._noted if days[minute] in self._noted_days])
        self.has_put_off = self.has_put_off or not minutes.isdisjoint(self._noted)
        return [] if minutes <= self._noted else list(_without(columns, self._noted))

    def _days_to_put_off(self, columns: Sequence[Columns], days: Mapping[str, date]) -> set[date]:
        """Days in which keys are rare, and of which there have been enough to make up for counting the day."""
        keys = Counter(days[minute] for minute, _, _ in set[Key]().union(*[each.keys() for each in columns]))
        rows = Counter(days[minute] for each in columns for minute in each.minutes)
        rare = {day: count for day, count in keys.items() if are_keys_rare(count, rows[day])}
        self._upserted.update(rare)
        keys_of_days = [self._upserted[day] for day in rare]
        put_off = _QUERIES.column(self._connection, "days_to_put_off", date, days=list(rare), keys=keys_of_days)
        for day in put_off:
            del self._upserted[day]
        return set(put_off)

    def _note(self, minutes: Collection[str]) -> None:
        if minutes:
            array = array_literal([minute + "Z" for minute in sorted(minutes)])
            _QUERIES.run(self._connection, "put_off_minutes", minutes=array)
            self._noted.update(minutes)

    def _forget(self) -> None:
        self._noted.clear()
        self._noted_days.clear()


def read_generation(connection: Connection) -> int:
    """Which generation of rows is written now; behind the lock of a day it is the one after any recompute of it."""
    return _QUERIES.value(connection, "generation", int)


def _without(columns: Iterable[Columns], minutes: Collection[str]) -> Iterator[Columns]:
    """The rows of other minutes."""
    for each in columns:
        rows = [row for row in zip(*each, strict=True) if row[0] not in minutes]
        if rows:
            yield Columns(*zip(*rows, strict=True))
