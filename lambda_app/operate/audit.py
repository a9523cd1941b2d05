"""The audit of the platform: gathers the facts that `core/operate/checks.py` judges. Changes nothing.

All of PostgreSQL is read in one snapshot while the stream runs, day by day: memory and temporary files stay small.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from lambda_app.broker.topic import topic_log
from lambda_app.core.batch.job_files import job_place, places_before_claim
from lambda_app.core.batch.schedule import JobStatus
from lambda_app.core.operate.audit_facts import (
    AuditedJob,
    BatchDay,
    DayComparison,
    Facts,
    GapTotal,
    LetterTotal,
    Position,
    RowTotal,
)
from lambda_app.core.operate.checks import Check, audit
from lambda_app.core.stream.offsets import Log
from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.database.zone import time_zone
from lambda_app.host.clock import Clock
from lambda_app.host.environment import batch_directory
from lambda_app.host.hashing import hash_file
from lambda_app.settings import Settings

_QUERIES = Queries("audit")
# How long to wait before a second look at a file: it is moved after its job's commit, so it may be on its way.
SETTLE_SECONDS = 2.0
_ONE_SNAPSHOT = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    # Turns off the time limits of the reader's role, which are for forgotten sessions of people.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


@dataclass(frozen=True, slots=True)
class _Comparison:
    """DayComparison, its examples column by column; None for none."""

    found: int
    expected: int
    keys: int
    differing: int
    example_keys: Sequence[str] | None
    found_examples: Sequence[Sequence[Decimal | None]] | None
    expected_examples: Sequence[Sequence[Decimal | None]] | None


def verify(config: Settings, clock: Clock) -> list[Check]:
    """Takes a second, and two for each million rows.

    Raises BrokerUnavailable or DatabaseUnavailable when one of them is away: nothing is judged then.
    """
    earlier = topic_log(config)
    with closing(connect(READER, "lambda-verify", _ONE_SNAPSHOT)) as connection:
        with transaction(connection):
            _QUERIES.run(connection, "lock_transactions")
            positions = tuple(_QUERIES.rows(connection, "positions", Position))
            log = _around(earlier, topic_log(config))
            facts = _facts(connection, log, positions)
        misplaced, changed = _suspect_files(connection, batch_directory(), clock)
    return audit(replace(facts, misplaced=misplaced, changed=changed))


def _around(earlier: Log, later: Log) -> Log:
    """Log starts before the snapshot, log ends after it: an offset of the snapshot must lie between them."""
    if earlier.topic_id != later.topic_id:
        return later
    bounds = {p: (earlier.bounds.get(p, bounds)[0], bounds[1]) for p, bounds in later.bounds.items()}
    return replace(later, bounds=bounds)


def _facts(connection: Connection, log: Log, positions: tuple[Position, ...]) -> Facts:
    zone = time_zone(connection)
    rows = tuple(_QUERIES.rows(connection, "rows", RowTotal))
    served_days = set(_QUERIES.column(connection, "stats_days", date))
    batch_days = _QUERIES.column(connection, "day_stats_days", date)
    dropped = set(_QUERIES.column(connection, "dropped_days", date))
    kept = ({each.day for each in rows} | served_days) - dropped
    return Facts(
        log=log,
        positions=positions,
        gaps=tuple(_QUERIES.rows(connection, "gaps", GapTotal)),
        letters=tuple(_QUERIES.rows(connection, "letters", LetterTotal)),
        rows=rows,
        jobs=tuple(_QUERIES.rows(connection, "jobs", AuditedJob)),
        dropped={day: _served(connection, day, zone) for day in sorted(dropped)},
        serving=_compare(connection, "compare_serving_view", kept, zone),
        day_stats=_compare(connection, "compare_day_stats", batch_days, zone),
        batch_days=tuple(_QUERIES.rows(connection, "batch_days", BatchDay)),
        impossible_speed_stats=_QUERIES.value(connection, "impossible_speed_stats", int),
    )


def _served(connection: Connection, day: date, zone: ZoneInfo) -> int:
    start, end = day_bounds(day, zone)
    return _QUERIES.value(connection, "served", int, start=start, end=end)


def _compare(connection: Connection, name: str, days: Iterable[date], zone: ZoneInfo) -> tuple[DayComparison, ...]:
    comparisons = []
    for day in sorted(days):
        start, end = day_bounds(day, zone)
        [row] = _QUERIES.rows(connection, name, _Comparison, day=day, start=start, end=end)
        examples = zip(row.example_keys or (), row.found_examples or (), row.expected_examples or (), strict=True)
        comparisons.append(DayComparison(day, row.found, row.expected, row.keys, row.differing, tuple(examples)))
    return tuple(comparisons)


def _suspect_files(
    connection: Connection, directory: Path, clock: Clock
) -> tuple[tuple[AuditedJob, ...] | None, tuple[AuditedJob, ...]]:
    """Jobs whose file is in none of its places, and those whose file has changed; None: there is no directory here."""
    if not directory.is_dir():
        return None, ()
    missing, changed = _look_at_files(connection, directory, None)
    if missing or changed:
        clock.sleep(SETTLE_SECONDS)
        missing, changed = _look_at_files(connection, directory, missing | changed)
    return _in_order(missing), _in_order(changed)


def _look_at_files(
    connection: Connection, directory: Path, among: set[AuditedJob] | None
) -> tuple[set[AuditedJob], set[AuditedJob]]:
    with transaction(connection):
        jobs = _QUERIES.rows(connection, "jobs", AuditedJob)
    missing, changed = set(), set()
    for job in jobs:
        if job.file is None or job.content_hash is None or job.continued_by or (among is not None and job not in among):
            continue
        place = job_place(job.status, job.job_id, job.file)
        if job.status in {JobStatus.COMPLETED, JobStatus.FAILED}:
            try:
                if hash_file(directory / place)[0] != job.content_hash:
                    changed.add(job)
            except OSError:
                missing.add(job)
        else:
            predecessors = [each.job_id for each in jobs if each.continued_by == job.job_id]
            places = (place, *places_before_claim(job.file, predecessors))
            if not any((directory / each).is_file() for each in places):
                missing.add(job)
    return missing, changed


def _in_order(jobs: Iterable[AuditedJob]) -> tuple[AuditedJob, ...]:
    return tuple(sorted(jobs, key=lambda job: job.job_id))
