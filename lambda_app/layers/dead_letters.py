"""The table dead_letters: what was not valid, kept in the transaction that stores its valid neighbours."""

from collections.abc import Sequence
from typing import cast

from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.database.connection import Connection
from lambda_app.database.queries import insert_many, queries


def record_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> list[int | None]:
    """Writes dead letters; gives the partition of each that was not there yet."""
    rows = insert_many(
        connection,
        queries("storage")["insert_dead_letters"],
        [
            (x.topic, x.topic_id and str(x.topic_id), x.partition, x.offset, x.file, x.line, x.job_id, x.raw, x.reason)
            for x in letters
        ],
        template="(%s, %s::uuid, %s, %s, %s, %s, %s, %s, %s)",
    )
    return [partition for (partition,) in cast("list[tuple[int | None]]", rows)]
