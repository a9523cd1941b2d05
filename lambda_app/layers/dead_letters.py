"""The table dead_letters: what was not valid, kept in the transaction that stores its valid neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.database.connection import Connection
from lambda_app.database.queries import Queries, array_literal

_QUERIES = Queries("dead_letters")


@dataclass(frozen=True, slots=True)
class New:
    """A letter that was not there yet; only one of the stream has a partition."""

    partition: int | None
    reason: str


def record_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> list[New]:
    """Writes dead letters; gives those that were not there yet."""
    if not letters:
        return []
    return _QUERIES.rows(
        connection,
        "record_letters",
        New,
        topics=array_literal(letter.topic for letter in letters),
        topic_ids=array_literal(None if letter.topic_id is None else str(letter.topic_id) for letter in letters),
        partitions=array_literal(letter.partition for letter in letters),
        offsets=array_literal(letter.offset for letter in letters),
        files=array_literal(letter.file for letter in letters),
        lines=array_literal(letter.line for letter in letters),
        job_ids=array_literal(letter.job_id for letter in letters),
        # Not as a text, which would escape what may be megabytes once more.
        raws=[letter.raw for letter in letters],
        reasons=array_literal(letter.reason for letter in letters),
    )
