"""The table stream_offsets: the only truth about what was consumed.

An offset moves by compare-and-set only: who no longer owns a partition gets PartitionLost and writes nothing.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from lambda_app.core.events import Event
from lambda_app.core.stream.offsets import Advance, Resumption, StoredPosition, resume_position
from lambda_app.database.connection import Connection
from lambda_app.database.queries import Queries, array_literal
from lambda_app.errors import PartitionLost

logger = logging.getLogger(__name__)

_QUERIES = Queries("positions")

# Senders set timestamps freely. One beyond ±10^14 ms (year 5138) is nonsense: NULL is stored, since to_timestamp would
# fail.
_NO_TIME_MILLISECONDS = 10**14


@dataclass(frozen=True, slots=True)
class _Row:
    """Of the table: what StoredPosition holds, and of which partition."""

    partition: int
    next_offset: int
    topic_id: UUID | None
    last_hash: bytes | None


def read(connection: Connection, topic: str, partitions: Iterable[int]) -> dict[int, StoredPosition]:
    """What the table holds of these partitions."""
    rows = _QUERIES.rows(connection, "select_positions", _Row, topic=topic, partitions=list(partitions))
    return {row.partition: StoredPosition(row.next_offset, row.topic_id, row.last_hash) for row in rows}


def end_frozen_writers(connection: Connection, seconds: int) -> None:
    """Ends the sessions of workers whose transaction is older than `seconds` and waits for its client."""
    _QUERIES.run(connection, "end_frozen_writers", seconds=seconds)


def take_over(
    connection: Connection,
    topic: str,
    topic_id: UUID | None,
    stored: Mapping[int, StoredPosition],
    bounds: Mapping[int, tuple[int, int]],
    refuted: Collection[int] = (),
) -> dict[int, int]:
    """The offsets to read these partitions from; `bounds` is what the broker has of each.

    `refuted` are those whose log does not hold what we read of it.
    `bounds` must be newer than `stored`: else a consumer that moves meanwhile looks like a log that was cut off.
    Gaps are recorded in the caller's transaction. Raises PartitionLost when another consumer moves at the same moment.
    """
    positions = {}
    for partition, (log_start, log_end) in sorted(bounds.items()):
        resumption = resume_position(stored.get(partition), log_start, log_end, topic_id, partition in refuted)
        _record(connection, topic, topic_id, partition, stored.get(partition), resumption)
        positions[partition] = resumption.position
    return positions


def prepare(connection: Connection) -> None:
    """Prepares the statement of `advance`: once for a connection, before its first use."""
    _QUERIES.run(connection, "prepare_advance")


def advance(connection: Connection, topic: str, topic_id: UUID | None, advances: Sequence[Advance]) -> None:
    """Moves the offsets of a chunk's partitions, in the transaction that stores its rows. Raises PartitionLost."""
    advances = sorted(advances, key=lambda a: a.partition)
    columns: dict[str, list[str | int | None]] = {
        "partition": [a.partition for a in advances],
        "expected": [a.expected for a in advances],
        "next_offset": [a.next_offset for a in advances],
        "leader_epoch": [a.leader_epoch for a in advances],
        "last_seconds": [
            str(a.last_timestamp / 1000) if abs(a.last_timestamp) < _NO_TIME_MILLISECONDS else None for a in advances
        ],
        "last_hash": ["\\x" + a.last_hash.hex() for a in advances],
        "stored": [a.stored for a in advances],
        "duplicate": [a.duplicate for a in advances],
        "dead_letters": [a.dead_letters for a in advances],
        "skipped": [a.skipped for a in advances],
    }
    arrays = {name: array_literal(column) for name, column in columns.items()}
    moved = _QUERIES.run(connection, "advance_positions", topic=topic, topic_id=topic_id, **arrays)
    if moved != len(advances):
        raise PartitionLost(f"{len(advances) - moved} of {len(advances)} partitions of this chunk moved elsewhere")


def _record(
    connection: Connection,
    topic: str,
    topic_id: UUID | None,
    partition: int,
    stored: StoredPosition | None,
    resumption: Resumption,
) -> None:
    if stored and stored.next_offset == resumption.position and not resumption.gaps:
        return
    gap_count = sum(gap.unread_count for gap in resumption.gaps)
    values: dict[str, object] = {
        "topic": topic,
        "partition": partition,
        "topic_id": topic_id,
        "position": resumption.position,
        "gap_count": gap_count,
        "rewound_count": (stored.next_offset if stored else 0) + gap_count - resumption.position,
        "expected": stored.next_offset if stored else None,
        "expected_topic_id": stored.topic_id if stored else None,
    }
    if _QUERIES.run(connection, "move_position" if stored else "insert_position", **values) != 1:
        raise PartitionLost(f"partition {partition} moved while it was taken over")
    for gap in resumption.gaps:
        logger.warning(
            "Gap in %s/%s from offset %s to %s: %s",
            topic,
            partition,
            gap.from_offset,
            "?" if gap.to_offset is None else gap.to_offset,
            gap.reason,
            extra=Event.GAP_FOUND.fields(topic=topic, partition=partition, offset=gap.from_offset),
        )
        _QUERIES.run(
            connection,
            "insert_gap",
            topic=topic,
            topic_id=gap.topic_id,
            partition=partition,
            from_offset=gap.from_offset,
            to_offset=gap.to_offset,
            reason=gap.reason,
        )
