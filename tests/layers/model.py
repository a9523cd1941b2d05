"""What must be in the tables, kept in plain Python: it knows the events, not the code that reads and stores them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.support.recount import Recount, recount_rows

PARTITIONS = range(4)
# How a message may give its time; the last one is the clock on the wall.
SPELLINGS = ("{0:%Y-%m-%dT%H:%M:%S.%f}Z", "{0:%Y-%m-%d %H:%M:%S.%f}", "{0:%Y-%m-%dT%H:%M:%S.%f}+00:00", "{1}")
# How a risk score may be written, and what is stored of it.
SCORES = {None: None, "0": "0.00", "0.79": "0.79", "0.795": "0.80", "0.8": "0.80", "7.9499": "7.95", "99.99": "99.99"}
CATEGORIES = (None, "a\tb\\")
_START = '{"transaction_id": "T1", "account_id": "A1", "transaction_type": "x", '
# Not valid, each for another reason.
RUBBISH = (
    None,
    b"",
    b"\xff",
    b'{"transaction_id": "T1"',
    f'{_START}"amount": 1}}'.encode(),
    f'{_START}"amount": 1.234, "event_time": "2026-06-15T12:00:00Z"}}'.encode(),
    f'{_START}"amount": 1, "event_time": "1999-12-31T23:59:59Z"}}'.encode(),
    f'{_START}"amount": 1, "location": "\\u0000", "event_time": "2026-06-15T12:00:00Z"}}'.encode(),
)


@dataclass(frozen=True)
class Place:
    """A time zone, and a day on which something happens to its clocks."""

    zone: ZoneInfo
    # The moment that the day begins, in UTC, as tzdata's authors give it.
    begins: datetime
    # How long it lasts.
    hours: int

    def days(self) -> list[date]:
        """The day, its neighbours, and those of late events."""
        day = self.begins.astimezone(self.zone).date()
        return [day + timedelta(days=shift) for shift in (0, 1, -1, -8, -21)]

    def times(self) -> list[datetime]:
        """Around its edges, in the middle, and long before."""
        second, tick = timedelta(seconds=1), timedelta(microseconds=1)
        edges = [self.begins, self.begins + timedelta(hours=self.hours)]
        around = (-second, -tick, timedelta(), tick, 59 * second, 3600 * second)
        late = [self.begins - timedelta(days=days) for days in (8, 21)]
        return [edge + shift for edge in edges for shift in around] + [self.begins + timedelta(hours=12), *late]


def _place(zone: str, begins: str, hours: int) -> Place:
    return Place(ZoneInfo(zone), datetime.fromisoformat(begins).replace(tzinfo=UTC), hours)


PLACES = {
    "an ordinary day": _place("UTC", "2026-06-15T00:00", 24),
    "midnight comes twice": _place("America/Havana", "2025-11-02T04:00", 25),
    "midnight is skipped": _place("Africa/Cairo", "2026-04-23T22:00", 23),
    "the last hour comes twice": _place("America/Santiago", "2026-04-04T03:00", 25),
    "after a day that never was": _place("Pacific/Apia", "2011-12-30T10:00", 24),
}
TIME_COUNT = len(PLACES["an ordinary day"].times())
# Places in `Place.times`: the first moment of the day, and the last one.
EDGES = (2, 7)


class Row(NamedTuple):
    """A transaction as the table holds it, its columns by name."""

    event_time: datetime
    transaction_id: str
    account_id: str
    transaction_type: str
    amount: Decimal
    merchant_category: str | None
    risk_score: Decimal | None
    job_id: str | None = None
    ingestion_type: str = "STREAM"

    def content(self) -> "Row":
        """What makes it the same transaction; no message here has a job_id."""
        return self._replace(job_id=None, ingestion_type="")


class Fate(Enum):
    """What becomes of a valid row; in the order of Position's counters."""

    STORED = 1
    DUPLICATE = 2
    REFUSED = 3


class Message(NamedTuple):
    """What a source sends; `row` is None when it is not valid."""

    value: bytes | None
    row: Row | None


@dataclass(frozen=True)
class Event:
    """A transaction before it is known where it happens: two with the same `time` and `number` have one key."""

    # A place in `Place.times`.
    time: int
    number: int
    hundredths: int
    category: str | None
    transaction_type: str
    score: str | None
    spelling: str

    def at(self, place: Place) -> Message:
        score = SCORES[self.score]
        row = Row(
            place.times()[self.time],
            f"T{self.number}",
            f"A{self.number % 3}",
            self.transaction_type,
            Decimal(self.hundredths).scaleb(-2),
            self.category,
            None if score is None else Decimal(score),
        )
        fields = {name: value for name, value in zip(row._fields[1:6], row[1:6], strict=True) if isinstance(value, str)}
        fields["event_time"] = self.spelling.format(row.event_time, row.event_time.astimezone(place.zone).isoformat())
        numbers = f', "amount": {row.amount}' + ("" if self.score is None else f', "risk_score": {self.score}')
        return Message((json.dumps(fields)[:-1] + numbers + "}").encode(), row)


class Position(NamedTuple):
    """A row of stream_offsets."""

    next_offset: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_letters: int = 0


@dataclass
class Model:
    """The tables as they must be."""

    rows: dict[tuple[datetime, str], Row] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, Position()))
    # Partition, offset, file, line, raw.
    letters: set[tuple[Any, ...]] = field(default_factory=set)

    def store(self, row: Row) -> Fate:
        """What becomes of a row."""
        key = (row.event_time, row.transaction_id)
        if key not in self.rows:
            self.rows[key] = row
            return Fate.STORED
        return Fate.DUPLICATE if self.rows[key].content() == row.content() else Fate.REFUSED

    def read(self, partition: int, messages: Iterable[Message]) -> None:
        """What becomes of the next messages of a partition."""
        position = self.positions[partition]
        for message in messages:
            fate = self.store(message.row) if message.row else Fate.REFUSED
            if fate is Fate.REFUSED:
                origin = (partition, position.next_offset, None, None, message.value)
                if origin in self.letters:
                    # One that is met again is no second letter.
                    fate = Fate.DUPLICATE
                self.letters.add(origin)
            more = Position(1, *(int(fate is each) for each in Fate))
            position = Position(*(old + new for old, new in zip(position, more, strict=True)))
        self.positions[partition] = position

    def stats(self, days: Sequence[date] | None = None, zone: tzinfo = UTC) -> Recount:
        """The recount by minutes, of all rows or of those of some days."""
        return recount_rows(
            (row.event_time, row.merchant_category, row.transaction_type, row.amount, row.risk_score)
            for row in self.rows.values()
            if days is None or row.event_time.astimezone(zone).date() in days
        )

    def day_stats(self, days: Sequence[date], zone: tzinfo) -> Recount:
        """The recount by days."""
        by_midnight = recount_rows(
            (
                datetime.combine(day, time(), UTC),
                row.merchant_category,
                row.transaction_type,
                row.amount,
                row.risk_score,
            )
            for row in self.rows.values()
            if (day := row.event_time.astimezone(zone).date()) in days
        )
        return {(midnight.date(), *rest): one for (midnight, *rest), one in by_midnight.items()}
