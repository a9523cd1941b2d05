"""The metrics of what PostgreSQL knows: jobs, layers, dead letters, gaps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lambda_app.core.batch.schedule import JobStatus
from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample

MISSING = "missing"
# Of a night: the statuses of its job, and that of a night without one.
NIGHT_STATUSES = (*JobStatus, MISSING)


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs have a status."""

    status: str
    count: int


@dataclass(frozen=True, slots=True)
class LastNight:
    """The newest completed night: times in seconds since 1970."""

    completed_at: float
    day_ended_at: float
    rows_loaded: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Night:
    """A closed day and its job; `nights_ago` is 1 for yesterday."""

    nights_ago: int
    status: str
    rows_loaded: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Totals:
    """What is one number each."""

    running_seconds: float
    speed_rows: int
    uncounted_minutes: int
    dead_letters: int
    gaps: int
    unfrozen_transactions: int
    # In seconds since 1970.
    schema_created_at: float


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """All that is asked of PostgreSQL for one look."""

    jobs: Sequence[JobCount]
    # Jobs given up and not taken up again: of nights, and of files.
    given_up_nights: int
    given_up_files: int
    last_night: LastNight | None
    nights: Sequence[Night]
    totals: Totals
    dirty_days: int
    newest_age_seconds: float | None


def database_samples(facts: DatabaseFacts) -> Iterator[Sample]:
    """The metrics; what has not happened yet is left out."""
    counts = {each.status: each.count for each in facts.jobs}
    yield from (declared.JOBS.sample(counts.get(status, 0), status) for status in JobStatus)
    yield declared.GIVEN_UP_JOBS.sample(facts.given_up_nights, "night")
    yield declared.GIVEN_UP_JOBS.sample(facts.given_up_files, "file")
    if facts.last_night:
        yield declared.JOB_COMPLETED_TIME.sample(facts.last_night.completed_at)
        yield declared.JOB_BUSINESS_TIME.sample(facts.last_night.day_ended_at)
        yield declared.JOB_ROWS.sample(facts.last_night.rows_loaded)
        yield declared.JOB_SECONDS.sample(facts.last_night.seconds)
    for night in facts.nights:
        number = str(night.nights_ago)
        for status in NIGHT_STATUSES:
            yield declared.NIGHT_STATUS.sample(night.status == status, number, status)
        yield declared.NIGHT_ROWS.sample(night.rows_loaded, number)
        yield declared.NIGHT_SECONDS.sample(night.seconds, number)
    yield declared.RUNNING_SECONDS.sample(facts.totals.running_seconds)
    yield declared.SPEED_ROWS.sample(facts.totals.speed_rows)
    yield declared.DIRTY_DAYS.sample(facts.dirty_days)
    yield declared.UNCOUNTED_MINUTES.sample(facts.totals.uncounted_minutes)
    yield declared.DEAD_LETTERS_OPEN.sample(facts.totals.dead_letters)
    yield declared.GAPS.sample(facts.totals.gaps)
    yield declared.FROZEN_AGE.sample(facts.totals.unfrozen_transactions)
    yield declared.SCHEMA_CREATED_TIME.sample(facts.totals.schema_created_at)
    if facts.newest_age_seconds is not None:
        yield declared.STORED_NEWEST_AGE.sample(facts.newest_age_seconds)
