"""Dead letters: looked for, shown and discarded."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from lambda_app.core.operate.letter_text import EXAMPLE, like_pattern
from lambda_app.database.connection import BATCH, Connection, connect, transaction
from lambda_app.database.queries import Part, Queries
from lambda_app.database.zone import time_zone
from lambda_app.errors import LambdaError

QUERIES = Queries("dead_letters")
# A retry that is suspended on its terminal must not keep rows locked that the stream may wait for.
_SERVER_SETTINGS = {"idle_in_transaction_session_timeout": "30s"}


@dataclass(frozen=True)
class Filters:
    """Which letters: those that pass all that is given."""

    ids: tuple[int, ...] = ()
    # Text that the reason contains, ignoring case.
    reason: str | None = None
    # Pattern of the topic or the file, with `*` and `?` as in a shell.
    source: str | None = None
    # Received at this time or later, and before that one; a time without a zone is in the platform's.
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there is a filter."""
        return bool(self.ids or self.reason or self.source or self.since or self.until)


@dataclass(frozen=True)
class ListedLetter:
    """A letter without what it holds."""

    id: int
    received_at: datetime
    # Of a message of the stream.
    topic: str | None
    partition: int | None
    offset: int | None
    # Of a record of a file.
    file: str | None
    line: int | None
    # What became of it; None: it is open.
    resolution: str | None
    reason: str


@dataclass(frozen=True)
class FrequentReason:
    """A reason, without the value that it shows, and how often it was given."""

    reason: str
    count: int
    first_received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True)
class ShownLetter:
    """Everything about a letter."""

    id: int
    topic: str | None
    topic_id: UUID | None
    partition: int | None
    offset: int | None
    file: str | None
    line: int | None
    job_id: str | None
    reason: str
    received_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    # None for a message without a value.
    raw: bytes | None


@dataclass(frozen=True)
class Matching:
    """How many letters pass the filters, and the id of the last of them."""

    count: int
    last: int | None


@dataclass(frozen=True)
class Selection:
    """The open letters that passed the filters at one moment; later ones are not among them."""

    count: int
    # Values for the query `matches`.
    values: Mapping[str, object]

    def condition(self, connection: Connection) -> Part:
        """For the queries with `matches`."""
        return QUERIES.part(connection, "matches", **self.values)


Found = TypeVar("Found", ListedLetter, FrequentReason)


def list_letters(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[ListedLetter]]:
    """How many pass the filters, and the newest of them."""
    return _look("list", ListedLetter, filters, resolved, limit=limit)


def count_by_reason(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[FrequentReason]]:
    """How many pass the filters, and the most frequent reasons."""
    return _look("count_by_reason", FrequentReason, filters, resolved, limit=limit, example=EXAMPLE)


def show_letter(letter_id: int) -> ShownLetter:
    """Everything about one. Raises LambdaError when there is none."""
    with closing(open_connection()) as connection, transaction(connection):
        letter = QUERIES.row(connection, "show", ShownLetter, id=letter_id)
    if letter is None:
        raise LambdaError(
            f"there is no dead letter {letter_id}: lambda-app dead-letters list --all shows what there is"
        )
    return letter


def select_open(filters: Filters) -> Selection:
    """The open letters that pass the filters now. Raises LambdaError when an id among them is none of a letter."""
    with closing(open_connection()) as connection, transaction(connection):
        unknown = QUERIES.column(connection, "unknown_ids", int, ids=list(filters.ids))
        if unknown:
            raise LambdaError(f"there is no dead letter {', '.join(map(str, unknown))}")
        values = _values(connection, filters, resolved=False)
        matching = count_matching(connection, QUERIES.part(connection, "matches", **values))
    return Selection(matching.count, {**values, "last": matching.last or 0})


def mark_discarded(selection: Selection) -> int:
    """Marks those that are still open as discarded; says how many."""
    with closing(open_connection()) as connection, transaction(connection):
        return QUERIES.run(connection, "discard", matches=selection.condition(connection))


def count_matching(connection: Connection, matches: Part) -> Matching:
    """How many letters pass, inside the caller's transaction."""
    [matching] = QUERIES.rows(connection, "count", Matching, matches=matches)
    return matching


def _look(name: str, into: type[Found], filters: Filters, resolved: bool, **values: object) -> tuple[int, list[Found]]:
    with closing(open_connection()) as connection, transaction(connection):
        matches = QUERIES.part(connection, "matches", **_values(connection, filters, resolved))
        count = count_matching(connection, matches).count
        return count, QUERIES.rows(connection, name, into, matches=matches, **values)


def _values(connection: Connection, filters: Filters, resolved: bool) -> dict[str, object]:
    zone = time_zone(connection)
    return {
        "resolved": resolved,
        "ids": list(filters.ids) or None,
        "reason": filters.reason or None,
        "source": like_pattern(filters.source) if filters.source else None,
        "since": _aware(filters.since, zone),
        "until": _aware(filters.until, zone),
        "last": None,
    }


def _aware(time: datetime | None, zone: ZoneInfo) -> datetime | None:
    return time.replace(tzinfo=zone) if time and time.tzinfo is None else time


def open_connection() -> Connection:
    """A connection with the rights of the batch role, which may store what a retry finds valid."""
    return connect(BATCH, "lambda-dead-letters", _SERVER_SETTINGS)
