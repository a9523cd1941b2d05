"""What becomes of a transaction that is not simply stored, and of the rows of a chunk."""

from dataclasses import dataclass, field
from uuid import UUID

from lambda_app.core.transaction.aggregates import Aggregates


@dataclass(frozen=True)
class Refusal:
    """A row that passed our checks and is still not stored.

    PostgreSQL refused it, or its (event_time, transaction_id) was there already with other content.
    """

    # The row's place in the lines given to `store_chunk`.
    index: int
    reason: str


@dataclass(frozen=True)
class StoreResult:
    """What became of the rows of a chunk: stored, duplicate and refused add up to its length."""

    stored: int
    # The places of rows that were there already, or stand earlier in the chunk, with the same content.
    duplicates: tuple[int, ...] = ()
    refused: tuple[Refusal, ...] = ()
    # Aggregates of the stored rows.
    aggregates: Aggregates = field(default_factory=Aggregates)

    @property
    def duplicate(self) -> int:
        """How many rows were there already."""
        return len(self.duplicates)


@dataclass(frozen=True)
class DeadLetter:
    """What was not valid and where it came from: topic, partition and offset, or file and line."""

    reason: str
    # None for a message without a value.
    raw: bytes | None
    topic: str | None = None
    topic_id: UUID | None = None
    partition: int | None = None
    offset: int | None = None
    file: str | None = None
    line: int | None = None
    # The job that met the line; None for a message.
    job_id: str | None = None
