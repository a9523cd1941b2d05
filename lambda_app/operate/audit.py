"""The audit of the platform: gathers the facts that `core/operate/checks.py` judges. Changes nothing.

All of PostgreSQL is read in one snapshot while the stream runs, day by day: memory and temporary files stay small.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from lambda_app.broker.topic import topic_log
from lambda_app.core.batch.job_files import job_place, places_before_claim
from lambda_app.core.batch.schedule import JobStatus
from lambda_app.core.operate.audit_facts import DayComparison, Facts, GapTotal, Job, LetterTotal, Position, RowTotal
from lambda_app.core.operate.checks import Check, audit
from lambda_app.core.stream.offsets import Log
from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import fetch_all, queries, time_zone_name
from lambda_app.host.clock import Clock
from lambda_app.host.environment import batch_directory
from lambda_app.host.hashing import hash_file
from lambda_app.settings import Settings

# A job's file is moved after its commit: it may be on its way.
SETTLE_SECONDS = 2.0
_ONE_SNAPSHOT = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    # What protects others from a forgotten session of the reader's.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


def verify(config: Settings, clock: Clock) -> list[Check]:
    """Takes a second, and two for each million rows.

    Raises BrokerUnavailable or DatabaseUnavailable when one of them is away: nothing is judged then.
    """
    earlier = topic_log(config)
    with closing(connect(READER, "lambda-verify", _ONE_SNAPSHOT)) as connection:
        with transaction(connection):
            _query(connection, "lock_transactions")
            positions = tuple(_position(*row) for row in _query(connection, "positions"))
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
    zone = ZoneInfo(time_zone_name(connection))
    rows = tuple(RowTotal(*row) for row in _query(connection, "rows"))
    served_days = {day for (day,) in _query(connection, "stats_days")}
    batch_days = {day for (day,) in _query(connection, "day_stats_days")}
    dropped = {day for (day,) in _query(connection, "dropped_days")}
    kept = ({each.day for each in rows} | served_days) - dropped
    return Facts(
        log=log,
        positions=positions,
        gaps=tuple(GapTotal(*row) for row in _query(connection, "gaps")),
        letters=tuple(LetterTotal(*row) for row in _query(connection, "letters")),
        rows=rows,
        jobs=_jobs(connection),
        dropped={day: int(_of_day(connection, "served", day, zone)[0]) for day in sorted(dropped)},
        serving=_compare(connection, "compare_serving_view", kept, zone),
        day_stats=_compare(connection, "compare_day_stats", batch_days, zone),
        batch_days=tuple(cast("list[tuple[date, int, int]]", _query(connection, "batch_days"))),
        impossible_speed_stats=int(_query(connection, "impossible_speed_stats")[0][0]),
    )


def _position(topic: str, partition: int, topic_id: str | None, *numbers: int) -> Position:
    return Position(topic, partition, UUID(topic_id) if topic_id else None, *numbers)


def _jobs(connection: Connection) -> tuple[Job, ...]:
    jobs = (Job(*row) for row in _query(connection, "jobs"))
    return tuple(replace(job, content_hash=job.content_hash and bytes(job.content_hash)) for job in jobs)


def _compare(connection: Connection, name: str, days: Iterable[date], zone: ZoneInfo) -> tuple[DayComparison, ...]:
    comparisons = []
    for day in sorted(days):
        found, expected, keys, differing, *examples = _of_day(connection, name, day, zone)
        shown = tuple(zip(*(each or [] for each in examples), strict=True))
        comparisons.append(DayComparison(day, found, expected, keys, differing, shown))
    return tuple(comparisons)


def _of_day(connection: Connection, name: str, day: date, zone: ZoneInfo) -> tuple[Any, ...]:
    start, end = day_bounds(day, zone)
    [row] = _query(connection, name, day=day, start=start, end=end)
    return row


def _suspect_files(
    connection: Connection, directory: Path, clock: Clock
) -> tuple[tuple[Job, ...] | None, tuple[Job, ...]]:
    """Jobs whose file is in none of its places, and those whose file has changed; None: there is no directory here."""
    if not directory.is_dir():
        return None, ()
    missing, changed = _look_at_files(connection, directory, None)
    if missing or changed:
        clock.sleep(SETTLE_SECONDS)
        missing, changed = _look_at_files(connection, directory, missing | changed)
    return _in_order(missing), _in_order(changed)


def _look_at_files(connection: Connection, directory: Path, among: set[Job] | None) -> tuple[set[Job], set[Job]]:
    with transaction(connection):
        jobs = _jobs(connection)
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


def _in_order(jobs: Iterable[Job]) -> tuple[Job, ...]:
    return tuple(sorted(jobs, key=lambda job: job.job_id))


def _query(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    return cast("list[tuple[Any, ...]]", fetch_all(connection, queries("verify")[name], values or None))
