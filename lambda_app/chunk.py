"""A chunk of the stream: records gathered until it is time, then taken apart into rows, dead letters and counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from lambda_app import settings
from lambda_app.broker import Record
from lambda_app.core.message import Transaction, parse_message
from lambda_app.core.offsets import fingerprint
from lambda_app.errors import InvalidMessage
from lambda_app.positions import Advance
from lambda_app.storage import DeadLetter, StoreResult


@dataclass
class Chunk:
    """Records read and not yet stored."""

    records: list[Record] = field(default_factory=list)
    value_bytes: int = 0
    started_at: float = 0.0

    def add(self, records: Sequence[Record], now: float) -> None:
        """Takes more records; the first ones start the chunk's age."""
        if records and not self.records:
            self.started_at = now
        self.records += records
        self.value_bytes += sum([len(r.value or b"") for r in records])

    def is_due(self, now: float) -> bool:
        """Whether it is time to store: by number, by size or by age."""
        return bool(self.records) and (
            len(self.records) >= settings.CHUNK_RECORDS
            or self.value_bytes >= settings.CHUNK_BYTES
            or now - self.started_at >= settings.CHUNK_AGE_SECONDS
        )

    def without(self, partitions: set[int]) -> "Chunk":
        """The same, less what was read from these partitions."""
        rest = Chunk()
        rest.add([r for r in self.records if r.partition not in partitions], self.started_at)
        return rest


@dataclass
class ParsedChunk:
    """A chunk taken apart: rows to store, dead letters, and how far each partition moves."""

    rows: list[Transaction]
    # The record of each row.
    sources: list[Record]
    letters: list[DeadLetter]
    advances: dict[int, Advance]

    @classmethod
    def of(
        cls, records: list[Record], topic: str, topic_id: UUID | None, stored: Mapping[int, int], now: datetime
    ) -> "ParsedChunk":
        """Judges each record; `stored` is the offset that stands in the database for each partition."""
        parsed = cls([], [], [], {})
        last: dict[int, Record] = {}
        for record in records:
            last[record.partition] = record
            try:
                row = parse_message(record.value, now)
            except InvalidMessage as error:
                parsed.letters.append(_dead_letter(record, topic, topic_id, str(error)))
            else:
                parsed.rows.append(row)
                parsed.sources.append(record)
        parsed.advances = {partition: _advance(stored[partition], record) for partition, record in last.items()}
        for letter in parsed.letters:
            parsed.advances[letter.partition or 0].dead_letters += 1
        return parsed

    def account(self, result: StoreResult, topic: str, topic_id: UUID | None) -> None:
        """Adds what the database said to the letters and counters."""
        for source in self.sources:
            self.advances[source.partition].stored += 1
        for index in result.duplicates:
            counters = self.advances[self.sources[index].partition]
            counters.stored -= 1
            counters.duplicate += 1
        for refusal in result.refused:
            source = self.sources[refusal.index]
            counters = self.advances[source.partition]
            counters.stored -= 1
            counters.dead_letters += 1
            self.letters.append(_dead_letter(source, topic, topic_id, refusal.reason))


def _dead_letter(record: Record, topic: str, topic_id: UUID | None, reason: str) -> DeadLetter:
    return DeadLetter(reason, record.value, topic, topic_id, record.partition, record.offset)


def _advance(expected: int, last: Record) -> Advance:
    return Advance(
        partition=last.partition,
        expected=expected,
        next_offset=last.offset + 1,
        leader_epoch=last.leader_epoch,
        last_timestamp=last.timestamp,
        last_hash=fingerprint(last.key, last.value),
    )
