"""The audit: facts about what is stored in, differences out. No difference means exact; each is a sentence for people.

What cannot be known, after a gap of unknown length say, becomes a note.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lambda_app.core.batch.job_files import job_place
from lambda_app.core.batch.schedule import GENERATED_SOURCE, JobStatus
from lambda_app.core.operate.audit_facts import (
    STAT_COLUMNS,
    AuditedJob,
    DayComparison,
    Example,
    Facts,
    LetterTotal,
    Position,
)
from lambda_app.core.stream.offsets import Log
from lambda_app.core.transaction.message import IngestionType


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared."""

    name: str
    figures: str
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def audit(facts: Facts) -> list[Check]:
    """Every check, in the order of a transaction's way."""
    return [
        *(_partition(position, facts) for position in facts.positions),
        *_unread_partitions(facts),
        _dead_letters(facts),
        _rows(facts),
        _serving_view(facts),
        _day_stats(facts),
        _speed_stats(facts),
        _jobs(facts),
        _files(facts),
    ]


def _partition(position: Position, facts: Facts) -> Check:
    accounted = position.stored + position.duplicate + position.dead_letters + position.gaps + position.skipped
    passed = position.next_offset + position.rewound
    differences, notes = _against_log(position, facts.log)
    if accounted != passed:
        differences.append(
            f"{position}: {passed:,} offsets were passed, {accounted:,} accounted for: {_surplus(accounted - passed)}"
        )
    of_partition = [gap for gap in facts.gaps if (gap.topic, gap.partition) == (position.topic, position.partition)]
    recorded = sum(gap.offsets for gap in of_partition)
    if recorded != position.gaps:
        differences.append(f"{position}: gap_count is {position.gaps:,}, stream_gaps add up to {recorded:,}")
    if endless := sum(gap.endless for gap in of_partition):
        notes.append(f"{position}: what Kafka lost is unknown: of {endless} gaps in stream_gaps nobody knows the end")
    if position.skipped:
        notes.append(
            f"{position}: {position.skipped:,} offsets held no message: the end of a transaction, what was aborted,"
            " or what compaction removed"
        )
    return Check(str(position), _partition_figures(position, facts.log), tuple(differences), tuple(notes))


def _against_log(position: Position, log: Log) -> tuple[list[str], list[str]]:
    """Differences and notes."""
    if position.topic != log.topic:
        return [], [f"{position}: not compared with Kafka, where the topic is {log.topic} now"]
    is_same = None in (position.topic_id, log.topic_id) or position.topic_id == log.topic_id
    bounds = log.bounds.get(position.partition)
    if bounds is None:
        if is_same:
            return [f"{position}: Kafka has no such partition"], []
        return [], [f"{position}: not compared with Kafka: the topic was recreated with fewer partitions"]
    if not is_same:
        return [f"{position}: read from the topic {position.topic_id}, Kafka's has the id {log.topic_id}"], []
    start, end = bounds
    if position.next_offset > end:
        return [f"{position}: next_offset {position.next_offset:,} is beyond the end of Kafka's log, {end:,}"], []
    if position.next_offset < start:
        lost = start - position.next_offset
        return [f"{position}: Kafka removed {lost:,} messages from offset {position.next_offset:,} on, unread"], []
    return [], []


def _partition_figures(position: Position, log: Log) -> str:
    end = log.bounds.get(position.partition) if position.topic == log.topic else None
    parts = [
        f"offset {position.next_offset:,}" + (f" of {end[1]:,}" if end else ""),
        f"{position.stored:,} stored",
        f"{position.duplicate:,} duplicate",
        f"{position.dead_letters:,} dead letters",
        f"{position.gaps:,} in gaps",
    ]
    if position.skipped:
        parts.append(f"{position.skipped:,} without message")
    if position.rewound:
        parts.append(f"{position.rewound:,} read again")
    return ", ".join(parts)


def _unread_partitions(facts: Facts) -> Iterator[Check]:
    read = {position.partition for position in facts.positions if position.topic == facts.log.topic}
    for partition, (start, end) in sorted(facts.log.bounds.items()):
        if partition not in read:
            yield Check(f"{facts.log.topic}/{partition}", f"not read yet: offsets {start:,} to {end:,}")


def _dead_letters(facts: Facts) -> Check:
    counted = Counter({str(position): position.dead_letters for position in facts.positions})
    kept = Counter({f"{each.topic}/{each.partition}": each.count for each in facts.letters if each.topic is not None})
    differences = tuple(
        f"{origin}: {counted[origin]:,} dead letters were counted, {kept[origin]:,} are kept"
        for origin in sorted({*counted, *kept})
        if counted[origin] != kept[origin]
    )
    return Check("dead letters", f"{counted.total():,} counted in the stream, {kept.total():,} kept", differences)


def _rows(facts: Facts) -> Check:
    """Rows of the stream; once days were dropped, all rows, with what the serving view says of those days."""
    counted = sum(position.stored for position in facts.positions)
    retried = sum(letters.stored for letters in facts.letters if letters.topic is not None)
    rows = sum(each.count for each in facts.rows if each.ingestion_type == IngestionType.STREAM)
    what = "rows of the stream"
    if facts.dropped:
        counted += sum(job.loaded or 0 for job in facts.jobs if job.status == JobStatus.COMPLETED)
        retried = sum(letters.stored for letters in facts.letters)
        rows = sum(each.count for each in facts.rows if each.day not in facts.dropped) + sum(facts.dropped.values())
        what = f"rows of stream and batch, those of {len(facts.dropped)} dropped days by their aggregates"
    figures = f"{rows:,} {what}, {counted + retried:,} counted as stored"
    surplus = rows - counted - retried
    return Check("rows", figures, (f"{figures}: {_surplus(surplus)}",) if surplus else ())


def _serving_view(facts: Facts) -> Check:
    differences = [line for day in facts.serving for line in _day_differences("transaction_stats", "recounted", day)]
    rows = sum(each.count for each in facts.rows if each.day not in facts.dropped)
    recounted = sum(day.expected for day in facts.serving)
    if rows != recounted:
        differences.append(f"the days of the recount do not cover all rows: {_surplus(recounted - rows)}")
    notes = (f"not recounted: {len(facts.dropped)} days that retention dropped",) if facts.dropped else ()
    return Check("transaction_stats", _comparison_figures(facts.serving), tuple(differences), notes)


def _day_stats(facts: Facts) -> Check:
    differences = [line for day in facts.day_stats for line in _day_differences("batch_day_stats", "batch_stats", day)]
    differences += [
        f"batch_days of {each.day}: count is {each.noted:,}, batch_day_stats add up to {each.counted:,}"
        for each in facts.batch_days
        if each.noted != each.counted
    ]
    return Check("batch_day_stats", _comparison_figures(facts.day_stats), tuple(differences))


def _comparison_figures(days: tuple[DayComparison, ...]) -> str:
    keys, expected = sum(day.keys for day in days), sum(day.expected for day in days)
    return f"{keys:,} keys of {len(days):,} days, {expected:,} transactions"


def _day_differences(name: str, other: str, day: DayComparison) -> Iterator[str]:
    if day.differing:
        remedy = f"lambda-app recompute --day {day.day}"
        headline = f"{name} of {day.day}: {day.differing:,} of {day.keys:,} keys differ ({remedy} counts it again)"
        yield "\n    ".join([headline, *(_describe(example, other) for example in day.examples)])


def _describe(example: Example, other: str) -> str:
    key, found, expected = example
    if None in found:
        return f"{key}: absent, {other} count {expected[0]}"
    if None in expected:
        return f"{key}: count {found[0]}, {other} nothing"
    values = zip(STAT_COLUMNS, found, expected, strict=True)
    return f"{key}: " + "; ".join(f"{column} {a}, {other} {b}" for column, a, b in values if a != b)


def _speed_stats(facts: Facts) -> Check:
    count = facts.impossible_speed_stats
    differences = (f"speed_stats: {count:,} rows have impossible counts",) if count else ()
    return Check("speed_stats", f"{count:,} rows with impossible counts", differences)


def _jobs(facts: Facts) -> Check:
    rows: Counter[str | None] = Counter()
    for each in facts.rows:
        if each.ingestion_type == IngestionType.BATCH:
            rows[each.job_id] += each.count
    letters = {each.job_id: each for each in facts.letters if each.job_id is not None}
    differences = [
        line
        for job in facts.jobs
        for line in _job_differences(job, rows.pop(job.job_id, 0), letters.get(job.job_id), bool(facts.dropped))
    ]
    differences += [f"{count:,} rows of the batch are of no job: {job_id}" for job_id, count in rows.items()]
    completed = [job for job in facts.jobs if job.status == JobStatus.COMPLETED]
    dates = Counter(job.business_date for job in completed if job.source == GENERATED_SOURCE)
    differences += [f"{day} was loaded by {count} jobs" for day, count in dates.items() if count > 1]
    notes = ("a job may have fewer rows than it loaded: retention dropped some days",) if facts.dropped else ()
    loaded = sum(job.loaded or 0 for job in completed)
    figures = f"{len(completed):,} of {len(facts.jobs):,} completed, {loaded:,} rows loaded"
    return Check("jobs", figures, tuple(differences), notes)


def _job_differences(job: AuditedJob, rows: int, letters: LetterTotal | None, are_days_dropped: bool) -> Iterator[str]:
    if job.status != JobStatus.COMPLETED:
        if rows:
            yield f"{job.job_id} is {job.status}, and {rows:,} rows of it are stored"
        return
    read, loaded, duplicate, rejected = (count or 0 for count in (job.read, job.loaded, job.duplicate, job.rejected))
    surplus = rows - loaded - (letters.stored if letters else 0)
    if surplus > 0 or (surplus and not are_days_dropped):
        yield f"rows of {job.job_id}, which loaded {loaded:,}: {_surplus(surplus)}"
    if read != loaded + duplicate + rejected:
        yield (
            f"{job.job_id} read {read:,} rows, and accounts for {loaded:,} loaded, {duplicate:,} duplicate,"
            f" {rejected:,} rejected"
        )
    if rejected != (kept := letters.count if letters else 0):
        yield f"{job.job_id} rejected {rejected:,} rows, {kept:,} dead letters of it are kept"


def _files(facts: Facts) -> Check:
    count = sum(job.file is not None for job in facts.jobs)
    if facts.misplaced is None:
        notes = ("the files of jobs were not looked for: the directory of the batch is not on this host",)
        return Check("files", f"{count:,} jobs with a file", notes=notes if count else ())
    differences = (
        *(f"{job.job_id} is {job.status}, but its file is not there: {_place(job)}" for job in facts.misplaced),
        *(
            f"{_place(job)} has changed since {job.job_id}: systemctl start lambda-cron-runner loads the rest"
            for job in facts.changed
        ),
    )
    return Check("files", f"{count:,} jobs with a file", differences)


def _place(job: AuditedJob) -> str:
    return job_place(job.status, job.job_id, str(job.file))


def _surplus(count: int) -> str:
    return f"{count:,} too many" if count > 0 else f"{-count:,} missing"
