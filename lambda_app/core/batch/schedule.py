"""Which business dates are due, and what becomes of a job whose attempt failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

MAX_ATTEMPTS = 3
RETRY_PERIOD = timedelta(hours=2)
# batch_jobs.source of a night's job, whose file the platform generates itself.
GENERATED_SOURCE = "generated"


class JobStatus(StrEnum):
    """The states of a batch job, as batch_jobs.status holds them."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job that is to be run."""

    id: int
    job_id: str
    business_date: date
    source: str
    status: str
    attempts: int
    started_at: datetime | None  # its first start
    # Name of the source system's file, and the SHA-256 of its content; None for a night's own job.
    file: str | None = None
    content_hash: bytes | None = None
    # Jobs whose file has grown into this one.
    predecessors: Sequence[str] = ()

    @property
    def subject(self) -> str:
        """What it loads, for people."""
        return self.file or str(self.business_date)


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as people see it."""

    job_id: str
    business_date: date
    source: str
    status: str
    attempts: int
    rows_read: int | None
    rows_loaded: int | None
    rows_duplicate: int | None
    rows_rejected: int | None
    started_at: datetime | None  # its first start
    finished_at: datetime | None
    error: str | None
    file: str | None


def due_dates(last: date | None, today: date) -> list[date]:
    """The closed days after `last`, oldest first; with no `last` (a fresh install) yesterday alone.

    >>> [str(day) for day in due_dates(date(2026, 11, 20), today=date(2026, 11, 23))]
    ['2026-11-21', '2026-11-22']
    """
    yesterday = today - timedelta(days=1)
    first = yesterday if last is None else last + timedelta(days=1)
    return [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]


def status_after_failure(attempts: int, first_start: datetime, now: datetime) -> JobStatus:
    """Pending when the job may be tried again, failed when its attempts or its two hours are used up."""
    if attempts >= MAX_ATTEMPTS or now - first_start >= RETRY_PERIOD:
        return JobStatus.FAILED
    return JobStatus.PENDING
