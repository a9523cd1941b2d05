"""Dead letters: looked for, shown and discarded."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from lambda_app.core.operate.letter_text import EXAMPLE, like_pattern
from lambda_app.database.connection import BATCH, Connection, connect, transaction
from lambda_app.database.queries import fetch_all, queries, time_zone_name
from lambda_app.errors import LambdaError

# A retry that is suspended on its terminal must not keep rows locked that the stream may wait for.
_SERVER_SETTINGS = {"idle_in_transaction_session_timeout": "30s"}


@dataclass(frozen=True)
class Filters:
    """Which letters: those that pass all that is given."""

    ids: tuple[int, ...] = ()
    # What the reason contains, in capitals or not.
    reason: str | None = None
    # The topic or the file; `*` and `?` as in a shell.
    source: str | None = None
    # Received at this time or later, and before this one; without a zone: the platform's.
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether there is a filter."""
        return bool(self.ids or self.reason or self.source or self.since or self.until)


@dataclass(frozen=True)
class Selection:
    """The open letters that passed the filters at one moment; later ones are not among them."""

    count: int
    # Of the query `matches`.
    values: Mapping[str, object]


def list_letters(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[tuple[Any, ...]]]:
    """How many pass the filters, and the newest of them, as `list` in dead_letters.sql gives them."""
    return _look("list", filters, resolved, limit=limit)


def count_by_reason(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[tuple[Any, ...]]]:
    """How many pass the filters, and the most frequent reasons: reason, count, first and last time."""
    return _look("count_by_reason", filters, resolved, limit=limit, example=EXAMPLE)


def show_letter(letter_id: int) -> tuple[Any, ...]:
    """Everything about one, as `show` in dead_letters.sql gives it. Raises LambdaError when there is none."""
    with closing(open_connection()) as connection, transaction(connection):
        rows = query(connection, "show", {"id": letter_id})
    if not rows:
        raise LambdaError(
            f"there is no dead letter {letter_id}: lambda-app dead-letters list --all shows what there is"
        )
    return rows[0]


def select_open(filters: Filters) -> Selection:
    """The open letters that pass the filters now. Raises LambdaError when an id among them is none of a letter."""
    with closing(open_connection()) as connection, transaction(connection):
        unknown = [str(number) for (number,) in query(connection, "unknown_ids", {"ids": list(filters.ids)})]
        if unknown:
            raise LambdaError(f"there is no dead letter {', '.join(unknown)}")
        values = _values(connection, filters, resolved=False)
        [(count, last)] = query(connection, "count", values)
    return Selection(count, {**values, "last": last or 0})


def mark_discarded(selection: Selection) -> int:
    """Marks those that are still open as discarded; says how many."""
    with closing(open_connection()) as connection, transaction(connection), connection.cursor() as cursor:
        cursor.execute(_text("discard"), selection.values)
        return cursor.rowcount


def _look(name: str, filters: Filters, resolved: bool, **values: object) -> tuple[int, list[tuple[Any, ...]]]:
    with closing(open_connection()) as connection, transaction(connection):
        matching = _values(connection, filters, resolved)
        [(count, _)] = query(connection, "count", matching)
        return count, query(connection, name, {**matching, **values})


def _values(connection: Connection, filters: Filters, resolved: bool) -> dict[str, object]:
    zone = ZoneInfo(time_zone_name(connection))
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


def _text(name: str) -> str:
    texts = queries("dead_letters")
    return texts[name].replace("{matches}", texts["matches"])


def query(connection: Connection, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Runs a query of dead_letters.sql inside the caller's transaction."""
    return cast("list[tuple[Any, ...]]", fetch_all(connection, _text(name), values))
