"""What the audit judges: the tables of PostgreSQL at one moment, summed up, and Kafka around that moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from lambda_app.core.stream.offsets import Log

STAT_COLUMNS = ("count", "amount_sum", "amount_min", "amount_max", "risk_sum", "high_risk_count")


@dataclass(frozen=True, slots=True)
class Position:
    """A row of stream_offsets."""

    topic: str
    partition: int
    topic_id: UUID | None
    next_offset: int
    stored: int
    duplicate: int
    dead_letters: int
    gaps: int
    # How far next_offset was moved back in all, and how many offsets held no message.
    rewound: int
    skipped: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class GapTotal:
    """The rows of stream_gaps of a partition: offsets in those that have an end, and how many have none."""

    topic: str
    partition: int
    offsets: int
    endless: int


@dataclass(frozen=True, slots=True)
class LetterTotal:
    """Dead letters of one origin: a partition of a topic, or a job."""

    topic: str | None
    partition: int | None
    job_id: str | None
    count: int
    # How many of them a retry has stored.
    stored: int


@dataclass(frozen=True, slots=True)
class RowTotal:
    """Rows of transactions of one day and one origin."""

    day: date
    ingestion_type: str
    # None for rows of the stream.
    job_id: str | None
    count: int


@dataclass(frozen=True, slots=True)
class AuditedJob:
    """A row of batch_jobs, as far as the audit compares it."""

    job_id: str
    business_date: date
    source: str
    status: str
    file: str | None
    read: int | None
    loaded: int | None
    duplicate: int | None
    rejected: int | None
    # SHA-256 of the file as it was registered; None for a night, and for an entry of the inbox that was never read.
    content_hash: bytes | None = None
    # The job that goes on with the file, which changed after this one.
    continued_by: str | None = None


@dataclass(frozen=True, slots=True)
class BatchDay:
    """A day that was recomputed: its transactions as batch_days noted them, and as batch_day_stats has them."""

    day: date
    noted: int
    counted: int


# A key, and its STAT_COLUMNS on both sides; None on a side that lacks the key.
Example = tuple[str, Sequence[Decimal | None], Sequence[Decimal | None]]


@dataclass(frozen=True, slots=True)
class DayComparison:
    """Aggregates of a day against those that they should equal."""

    day: date
    # Transactions on either side.
    found: int
    expected: int
    keys: int
    differing: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What PostgreSQL held at one moment, and Kafka around it."""

    # The log's starts were asked before that moment, its ends after it.
    log: Log
    positions: tuple[Position, ...] = ()
    gaps: tuple[GapTotal, ...] = ()
    letters: tuple[LetterTotal, ...] = ()
    rows: tuple[RowTotal, ...] = ()
    jobs: tuple[AuditedJob, ...] = ()
    # Days whose transactions retention dropped, with what the serving view still says of each.
    dropped: Mapping[date, int] = field(default_factory=dict)
    # The serving view against the recount, without those days.
    serving: tuple[DayComparison, ...] = ()
    # batch_day_stats against batch_stats.
    day_stats: tuple[DayComparison, ...] = ()
    batch_days: tuple[BatchDay, ...] = ()
    impossible_speed_stats: int = 0
    # Jobs whose file is not in its place; None: the directory is not on this host.
    misplaced: tuple[AuditedJob, ...] | None = ()
    # Ended jobs whose file has changed since.
    changed: tuple[AuditedJob, ...] = ()
