"""A chunk of the stream: messages gathered, and taken apart as they come, until they are stored."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from lambda_app import settings
from lambda_app.core.stream.offsets import Advance, fingerprint
from lambda_app.core.stream.run import Run
from lambda_app.core.transaction.message import IngestionType
from lambda_app.core.transaction.message_bulk import encode_messages
from lambda_app.core.transaction.outcome import DeadLetter, StoreResult
from lambda_app.core.transaction.rows import Rows


@dataclass
class Chunk:
    """Messages read and not yet stored; each has a place, counted from 0."""

    # Rows of the valid messages, and the place of each row's message.
    rows: Rows = field(default_factory=Rows)
    places: list[int] = field(default_factory=list)
    # Place and reason of each message that is not valid.
    rejected: list[tuple[int, str]] = field(default_factory=list)
    value_bytes: int = 0
    # When the first of it was read, by the monotonic clock.
    began_at: float = 0.0
    # The runs that were read, and the place of each run's first message.
    _runs: list[Run] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    # For each partition the offset that its position must still have when the chunk is stored.
    _expected: dict[int, int] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, runs: Sequence[Run], positions: Mapping[int, int], now: datetime) -> None:
        """Takes what was read; `positions` is where each partition was before."""
        values = [value for run in runs for value in run.values]
        encoded = encode_messages(values, IngestionType.STREAM, now, self._count)
        self.rows += encoded.rows
        self.places += encoded.places
        self.rejected += encoded.rejected
        for run in runs:
            self._expected.setdefault(run.partition, positions[run.partition])
            self._runs.append(run)
            self._starts.append(self._count)
            self._count += len(run)
        self.value_bytes += sum([len(value) for value in values if value])

    def some_event_times(self, count: int) -> list[datetime]:
        """Of so many valid messages at most, evenly chosen."""
        lines = self.rows.lines[:: max(1, -(-len(self.rows) // count))] if count else []
        return [datetime.fromisoformat(line[: line.index("\t")]) for line in lines]

    def is_full(self) -> bool:
        """Whether it must not grow: by number or by size."""
        return self._count >= settings.CHUNK_RECORDS or self.value_bytes >= settings.CHUNK_BYTES

    def account(self, result: StoreResult, topic: str, topic_id: UUID | None) -> tuple[list[Advance], list[DeadLetter]]:
        """How far each partition moves, with what became of its messages, and those that were not valid."""
        advances = {run.partition: self._advance(run) for run in self._runs}
        for run in self._runs:
            advances[run.partition].stored += len(run)
        for advance in advances.values():
            advance.skipped = advance.next_offset - advance.expected - advance.stored
        for index in result.duplicates:
            advance = advances[self._run_at(self.places[index])[0].partition]
            advance.stored -= 1
            advance.duplicate += 1
        letters = []
        refused = [(self.places[refusal.index], refusal.reason) for refusal in result.refused]
        for place, reason in sorted(self.rejected + refused):
            run, index = self._run_at(place)
            advances[run.partition].stored -= 1
            advances[run.partition].dead_letters += 1
            letters.append(DeadLetter(reason, run.values[index], topic, topic_id, run.partition, run.offsets[index]))
        return list(advances.values()), letters

    def _run_at(self, place: int) -> tuple[Run, int]:
        number = bisect_right(self._starts, place) - 1
        return self._runs[number], place - self._starts[number]

    def _advance(self, last: Run) -> Advance:
        return Advance(
            partition=last.partition,
            expected=self._expected[last.partition],
            next_offset=last.next_offset,
            leader_epoch=last.leader_epoch,
            last_timestamp=last.timestamp,
            last_hash=fingerprint(last.keys[-1], last.values[-1]),
        )
