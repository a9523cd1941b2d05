"""Dead letters run through today's rules.

A retry stores what is valid by now in the transaction that marks it resolved; all else stays as it is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from lambda_app import settings
from lambda_app.core.csv.header import Header
from lambda_app.core.csv.rows import parse_raw_record
from lambda_app.core.operate.letter_text import reason_kind
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import IngestionType
from lambda_app.core.transaction.message_bulk import Encoded, encode_messages
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, Connection, DatabaseError, transaction
from lambda_app.database.patience import Patience, is_outage
from lambda_app.errors import DatabaseUnavailable, InvalidMessage
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import DayTables
from lambda_app.layers.recompute import recompute_uncounted
from lambda_app.layers.store import RETRY_SHARD, Store
from lambda_app.operate.dead_letters import QUERIES, Selection, count_matching, open_connection

_NO_HEADER = "the columns of its file are not known"
_OTHER_RETRY = "left to another retry"


@dataclass(frozen=True)
class Letter:
    """What a retry needs of a dead letter."""

    id: int
    # True for a message of the stream, false for a record of a file.
    is_message: bool
    job_id: str | None
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class _HeaderRow:
    """The header of the file that a job read."""

    job_id: str
    header: Sequence[str]
    delimiter: str


class Retry:
    """One call of `dead-letters retry`: tries each letter of a selection once, oldest first."""

    def __init__(self, selection: Selection, clock: Clock) -> None:
        self.stored = 0
        self.duplicate = 0
        # How many letters stay open, by reason.
        self.remaining: Counter[str] = Counter()
        self._selection = selection
        self._clock = clock
        # Id of the last letter that was tried.
        self._after = 0
        self._has_put_off = False

    def run(self) -> Iterator[int]:
        """Gives, after each transaction, the number of letters that it tried; goes on after an outage."""
        patience = Patience(self._clock, "The retry goes on when PostgreSQL is back")
        while True:
            try:
                for tried in self._run():
                    patience.reset()
                    yield tried
            except DatabaseUnavailable as error:
                patience.wait(error)
            else:
                return

    def _run(self) -> Iterator[int]:
        with closing(open_connection()) as connection, closing(open_connection()) as table_maker:
            store = Store(connection, RETRY_SHARD)
            day_tables = DayTables(table_maker, store.days)
            while tried := self._retry_some(store, day_tables):
                yield tried
            if self._has_put_off:
                recompute_uncounted(self._clock, BATCH)
            self._count_left_out(connection)

    def _retry_some(self, store: Store, day_tables: DayTables) -> int:
        letters: list[Letter] = []
        try:
            with store.transaction():
                letters = self._lock_next(store.connection)
                resolutions, reasons = self._store_letters(store, day_tables, letters)
            self._has_put_off = self._has_put_off or store.has_put_off
        except (DatabaseUnavailable, DatabaseError) as error:
            if not letters or is_outage(error, store.connection, day_tables.connection):
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
        return QUERIES.rows(
            connection,
            "lock_next",
            Letter,
            matches=self._selection.condition(connection),
            after=self._after,
            limit=settings.RETRY_LETTERS,
            bytes=settings.CHUNK_BYTES,
        )

    def _store_letters(
        self, store: Store, day_tables: DayTables, letters: Sequence[Letter]
    ) -> tuple[dict[int, str], list[str]]:
        """Stores what is valid; gives the resolutions by id, and the reasons of the others."""
        letters = sorted(letters, key=lambda letter: not letter.is_message)
        encoded = _encode(letters, _headers(store.connection, letters), self._clock.now())
        day_tables.ensure(encoded.rows)
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
            matching = count_matching(connection, self._selection.condition(connection))
        if (left_out := matching.count - self.remaining.total()) > 0:
            self.remaining[_OTHER_RETRY] += left_out


def _headers(connection: Connection, letters: Sequence[Letter]) -> dict[str, Header]:
    """The headers of the files, by job."""
    job_ids = {letter.job_id for letter in letters if not letter.is_message}
    rows = QUERIES.rows(connection, "headers", _HeaderRow, job_ids=list(job_ids)) if job_ids else []
    return {row.job_id: Header(tuple(row.header), row.delimiter) for row in rows}


def _encode(letters: Sequence[Letter], headers: Mapping[str, Header], now: datetime) -> Encoded:
    """Messages first, then records; places are those of the letters."""
    messages = [letter.raw for letter in letters if letter.is_message]
    encoded = encode_messages(messages, IngestionType.STREAM, now)
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
    return encode_row(record, IngestionType.BATCH)


def _resolve(connection: Connection, resolutions: Mapping[int, str]) -> None:
    QUERIES.run(connection, "resolve", ids=list(resolutions), resolutions=list(resolutions.values()))
