"""Where to go on reading a partition, and what is lost: the decision alone, from what both sides say."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class StoredPosition:
    """What PostgreSQL knows of a partition."""

    next_offset: int
    topic_id: UUID | None
    # Fingerprint of the record before next_offset; None when we never read one.
    last_hash: bytes | None = None


@dataclass(frozen=True)
class Log:
    """What Kafka has of a topic."""

    topic: str
    # None: the broker is too old to tell.
    topic_id: UUID | None
    # For each partition the first offset and the one behind the last.
    bounds: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Gap:
    """Offsets [from_offset, to_offset) that cannot be read, or whose records are no longer those we read."""

    from_offset: int
    # None: how far it went is unknown.
    to_offset: int | None
    topic_id: UUID | None
    reason: str

    @property
    def unread_count(self) -> int:
        """How many messages were certainly never read."""
        return 0 if self.to_offset is None else self.to_offset - self.from_offset


@dataclass(frozen=True)
class Resumption:
    """The offset to read next, and the gaps to record before doing so."""

    position: int
    gaps: tuple[Gap, ...] = ()


def resume_position(
    stored: StoredPosition | None,
    log_start: int,
    log_end: int,
    topic_id: UUID | None,
    is_refuted: bool = False,
) -> Resumption:
    """Where to go on in a partition whose log now holds [log_start, log_end).

    `is_refuted`: the record before our offset turned out to be another one than we read.

    >>> resume_position(StoredPosition(5, None), 0, 9, None)
    Resumption(position=5, gaps=())
    >>> resume_position(StoredPosition(5, None), 7, 9, None).gaps[0].reason
    'removed by retention before it was read'
    """
    if stored is None:
        return _from_the_start(0, log_start, topic_id)
    if stored.topic_id and topic_id and stored.topic_id != topic_id:
        # Messages of the old topic beyond our offset are lost with it.
        lost = Gap(stored.next_offset, None, stored.topic_id, "the topic was deleted and recreated")
        fresh = _from_the_start(0, log_start, topic_id)
        return Resumption(fresh.position, (lost, *fresh.gaps))
    if stored.next_offset < log_start:
        return _from_the_start(stored.next_offset, log_start, topic_id)
    # Below our offset the log may hold new records, so it is read from its start; stored ones are known by their key.
    if stored.next_offset > log_end:
        lost = Gap(log_end, None, topic_id, f"the log was cut off below our offset {stored.next_offset}")
        return Resumption(log_start, (lost,))
    if is_refuted:
        reason = f"the log was cut off and filled again: the record before our offset {stored.next_offset} is another"
        return Resumption(log_start, (Gap(log_start, None, topic_id, reason),))
    return Resumption(stored.next_offset)


def fingerprint(key: bytes | None, value: bytes | None) -> bytes:
    """A hash that tells a record from another one at the same offset."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (key, value):
        # Each length is hashed too: the same bytes, split differently into key and value, are another record.
        digest.update(b"-" if part is None else b"%d:" % len(part) + part)
    return digest.digest()


def _from_the_start(wanted: int, log_start: int, topic_id: UUID | None) -> Resumption:
    if log_start <= wanted:
        return Resumption(max(wanted, log_start))
    return Resumption(log_start, (Gap(wanted, log_start, topic_id, "removed by retention before it was read"),))


@dataclass
class Advance:
    """How far a chunk moves a partition, and what became of its messages."""

    partition: int
    # The offset that must still stand in the table.
    expected: int
    next_offset: int = 0
    leader_epoch: int | None = None
    # Fingerprint of the last record: its time in milliseconds since 1970 and its hash.
    last_timestamp: int = 0
    last_hash: bytes = b""
    stored: int = 0
    duplicate: int = 0
    dead_letters: int = 0
    # Offsets in between that hold no message for us.
    skipped: int = 0

    def recognise(self, letters: int) -> None:
        """Counts this number of the dead letters as duplicates: they were kept when the log was read before."""
        self.dead_letters -= letters
        self.duplicate += letters
