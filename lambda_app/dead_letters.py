"""Dead letters: looked for, run through today's rules, or discarded.

A retry stores what is valid by now in the transaction that marks it resolved; all else stays as it is.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from lambda_app import batch_files, chunk, database, settings
from lambda_app.clock import Clock
from lambda_app.core.backoff import Backoff
from lambda_app.core.bulk import Encoded, encode_messages
from lambda_app.core.copy_text import encode_row
from lambda_app.core.csv_header import Header
from lambda_app.core.csv_rows import parse_raw_record
from lambda_app.core.dead_letters import EXAMPLE, like_pattern, reason_kind
from lambda_app.core.rows import Rows
from lambda_app.database import Connection, queries, transaction
from lambda_app.errors import DatabaseUnavailable, InvalidMessage, LambdaError
from lambda_app.recompute import recompute_uncounted
from lambda_app.storage import RETRY_SHARD, Partitions, Store

logger = logging.getLogger(__name__)

_NO_HEADER = "the columns of its file are not known"
_OTHER_RETRY = "left to another retry"
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


@dataclass(frozen=True)
class Letter:
    """What a retry needs of a dead letter."""

    id: int
    # A message of the stream; else a record of a file.
    is_message: bool
    job_id: str | None
    raw: bytes | None


def list_letters(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[tuple[Any, ...]]]:
    """How many pass the filters, and the newest of them, as `list` in dead_letters.sql gives them."""
    return _look("list", filters, resolved, limit=limit)


def count_by_reason(filters: Filters, limit: int, resolved: bool) -> tuple[int, list[tuple[Any, ...]]]:
    """How many pass the filters, and the most frequent reasons: reason, count, first and last time."""
    return _look("count_by_reason", filters, resolved, limit=limit, example=EXAMPLE)


def show_letter(letter_id: int) -> tuple[Any, ...]:
    """Everything about one, as `show` in dead_letters.sql gives it. Raises LambdaError when there is none."""
    with closing(_connect()) as connection, transaction(connection):
        rows = _query(connection, "show", {"id": letter_id})
    if not rows:
        raise LambdaError(
            f"there is no dead letter {letter_id}: lambda-app dead-letters list --all shows what there is"
        )
    return rows[0]


def select_open(filters: Filters) -> Selection:
    """The open letters that pass the filters now. Raises LambdaError when an id among them is none of a letter."""
    with closing(_connect()) as connection, transaction(connection):
        unknown = [str(number) for (number,) in _query(connection, "unknown_ids", {"ids": list(filters.ids)})]
        if unknown:
            raise LambdaError(f"there is no dead letter {', '.join(unknown)}")
        values = _values(connection, filters, resolved=False)
        [(count, last)] = _query(connection, "count", values)
    return Selection(count, {**values, "last": last or 0})


def discard(selection: Selection) -> int:
    """Marks those that are still open as discarded; says how many."""
    with closing(_connect()) as connection, transaction(connection), connection.cursor() as cursor:
        cursor.execute(_text("discard"), selection.values)
        return cursor.rowcount


class Retry:
    """One call of `dead-letters retry`: tries each letter of a selection once, oldest first."""

    def __init__(self, selection: Selection, clock: Clock) -> None:
        self.stored = 0
        self.duplicate = 0
        # Those that are still open, by reason.
        self.remaining: Counter[str] = Counter()
        self._values = selection.values
        self._clock = clock
        # The last letter that was tried.
        self._after = 0
        self._has_put_off = False

    def run(self) -> Iterator[int]:
        """Gives, after each transaction, the number of letters that it tried; goes on after an outage."""
        backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
        while True:
            try:
                for tried in self._run():
                    backoff.reset()
                    yield tried
            except DatabaseUnavailable as error:
                logger.warning("The retry goes on when PostgreSQL is back: %s", error)
                self._clock.sleep(backoff.next_delay())
            else:
                return

    def _run(self) -> Iterator[int]:
        with closing(_connect()) as connection, closing(_connect()) as partition_maker:
            store = Store(connection, RETRY_SHARD)
            partitions = Partitions(partition_maker, store.days)
            while tried := self._retry_some(store, partitions):
                yield tried
            if self._has_put_off:
                recompute_uncounted(self._clock, database.BATCH)
            self._count_left_out(connection)

    def _retry_some(self, store: Store, partitions: Partitions) -> int:
        letters: list[Letter] = []
        try:
            with store.transaction():
                letters = self._lock_next(store.connection)
                resolutions, reasons = self._store_letters(store, partitions, letters)
            self._has_put_off = self._has_put_off or store.has_put_off
        except (DatabaseUnavailable, database.Error) as error:
            # An outage breaks a connection; what PostgreSQL says on whole ones is about these letters.
            if store.connection.closed or partitions.connection.closed or not letters:
                raise
            cause = str(error.__cause__ or error).partition("\n")[0]
            resolutions, reasons = {}, [f"PostgreSQL refuses it with its neighbours: {cause}"] * len(letters)
        counts = Counter(resolutions.values())
        self.stored += counts["stored"]
        self.duplicate += counts["duplicate"]
        self.remaining.update(map(reason_kind, reasons))
        self._after = max((letter.id for letter in letters), default=self._after)
        return len(letters)

    def _lock_next(self, connection: Connection) -> list[Letter]:
        values = {
            **self._values,
            "after": self._after,
            "limit": settings.RETRY_LETTERS,
            "bytes": settings.CHUNK_BYTES,
        }
        return [
            Letter(number, is_message, job_id, None if raw is None else bytes(raw))
            for number, is_message, job_id, raw in _query(connection, "lock_next", values)
        ]

    def _store_letters(
        self, store: Store, partitions: Partitions, letters: Sequence[Letter]
    ) -> tuple[dict[int, str], list[str]]:
        """Stores what is valid; gives the resolutions by id, and the reasons of the others."""
        letters = sorted(letters, key=lambda letter: not letter.is_message)
        encoded = _encode(letters, _headers(store.connection, letters), self._clock.now())
        partitions.ensure(encoded.rows)
        # Where some rows are stored already, there are more: no need to find out each time.
        result = store.add(encoded.rows, expect_duplicates=bool(self.duplicate or self.remaining))
        fates = ["stored"] * len(encoded.places)
        for index in result.duplicates:
            fates[index] = "duplicate"
        refused = {refusal.index for refusal in result.refused}
        resolutions = {
            letters[place].id: fate
            for index, (place, fate) in enumerate(zip(encoded.places, fates, strict=True))
            if index not in refused
        }
        _resolve(store.connection, resolutions)
        return resolutions, [reason for _, reason in encoded.rejected] + [each.reason for each in result.refused]

    def _count_left_out(self, connection: Connection) -> None:
        with transaction(connection):
            [(count, _)] = _query(connection, "count", self._values)
        if (left_out := count - self.remaining.total()) > 0:
            self.remaining[_OTHER_RETRY] += left_out


def _headers(connection: Connection, letters: Sequence[Letter]) -> dict[str, Header]:
    """The headers of the files, by job."""
    job_ids = {letter.job_id for letter in letters if not letter.is_message}
    rows = _query(connection, "headers", {"job_ids": list(job_ids)}) if job_ids else []
    return {job_id: Header(tuple(columns), delimiter) for job_id, columns, delimiter in rows}


def _encode(letters: Sequence[Letter], headers: Mapping[str, Header], now: datetime) -> Encoded:
    """Messages first, then records; places are those of the letters."""
    messages = [letter.raw for letter in letters if letter.is_message]
    encoded = encode_messages(messages, chunk.INGESTION_TYPE, now)
    lines = []
    for place, letter in enumerate(letters[len(messages) :], len(messages)):
        try:
            lines.append(_encode_record(letter, headers, now))
        except InvalidMessage as error:
            encoded.rejected.append((place, str(error)))
        else:
            encoded.places.append(place)
    encoded.rows += Rows.of(lines)
    return encoded


def _encode_record(letter: Letter, headers: Mapping[str, Header], now: datetime) -> str:
    if letter.job_id is None or letter.job_id not in headers:
        raise InvalidMessage(_NO_HEADER)
    record = parse_raw_record(headers[letter.job_id], letter.raw or b"", now, letter.job_id)
    return encode_row(record, batch_files.INGESTION_TYPE)


def _resolve(connection: Connection, resolutions: Mapping[int, str]) -> None:
    _query(connection, "resolve", {"ids": list(resolutions), "resolutions": list(resolutions.values())})


def _look(name: str, filters: Filters, resolved: bool, **values: object) -> tuple[int, list[tuple[Any, ...]]]:
    with closing(_connect()) as connection, transaction(connection):
        matching = _values(connection, filters, resolved)
        [(count, _)] = _query(connection, "count", matching)
        return count, _query(connection, name, {**matching, **values})


def _values(connection: Connection, filters: Filters, resolved: bool) -> dict[str, object]:
    zone = ZoneInfo(database.time_zone_name(connection))
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


def _connect() -> Connection:
    return database.connect(database.BATCH, "lambda-dead-letters", _SERVER_SETTINGS)


def _text(name: str) -> str:
    texts = queries("dead_letters")
    return texts[name].replace("{matches}", texts["matches"])


def _query(connection: Connection, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    return cast("list[tuple[Any, ...]]", database.fetch_all(connection, _text(name), values))
