"""What status says to people of single facts, in words that fit 80 columns."""

from collections.abc import Sequence
from datetime import datetime

from lambda_app.core.operate.disks import DiskFacts
from lambda_app.core.operate.health import JobFacts, StreamFacts, UnitFacts
from lambda_app.core.operate.other_hosts import RemoteUnit
from lambda_app.core.operate.partitions import PartitionRow, ranges
from lambda_app.core.operate.timers import TimerFacts

# Of the partitions of a row: what 80 columns leave beside a reader of 30 characters.
LIST_WIDTH = 30


def use_cells(unit: UnitFacts | RemoteUnit) -> list[str]:
    """CPU and its limit, throttled, memory and its limit, restarts; empty where it is not known."""
    return [
        percent(unit.cpu_share),
        percent(unit.cpu_limit_share),
        percent(unit.throttled_share),
        size(unit.memory_bytes),
        size(unit.memory_limit_bytes),
        "" if unit.restarts is None else f"{unit.restarts:,}",
    ]


def percent(share: float | None) -> str:
    """A share in percent; of CPU time, 100% is one core."""
    return "" if share is None else f"{share:.0%}"


def size(size_bytes: int | None) -> str:
    """Bytes as systemd writes them: at most six characters up to 1,024 T.

    >>> size(812 * 2**20), size(3 * 2**29), size(5 * 2**40)
    ('812M', '1.5G', '5.0T')
    """
    if size_bytes is None:
        return ""
    for exponent, letter in ((40, "T"), (30, "G")):
        if size_bytes >= 2**exponent:
            return f"{size_bytes / 2**exponent:.1f}{letter}"
    return f"{size_bytes / 2**20:.0f}M"


def span(seconds: float) -> str:
    """A time to come, in its largest unit.

    >>> span(42), span(600), span(7200), span(250_000)
    ('42 s', '10 min', '2 h', '3 days')
    """
    for unit_seconds, unit in ((2 * 86_400, "days"), (2 * 3600, "h"), (120, "min")):
        if seconds >= unit_seconds:
            return f"{seconds / {'days': 86_400, 'h': 3600, 'min': 60}[unit]:,.0f} {unit}"
    return f"{seconds:.0f} s"


def age(seconds: float) -> str:
    """A time that has passed: to a tenth of a second in the first two minutes."""
    return f"{seconds:.1f} s" if seconds < 120 else span(seconds)


def stream_text(stream: StreamFacts) -> str:
    """The stream as a whole."""
    lag = "unknown" if stream.lag_records is None else f"{stream.lag_records:,} records"
    if stream.lag_seconds is not None:
        lag += f", {age(stream.lag_seconds)}"
    newest = "no row yet" if stream.newest_age_seconds is None else f"newest row {age(stream.newest_age_seconds)} old"
    gaps = f", {stream.gaps} partitions lost records before they were read" if stream.gaps else ""
    return f"{stream.rows_per_second:,.0f} rows/s, lag {lag}, {newest}{gaps}"


def partition_cells(row: PartitionRow, are_all_known: bool) -> list[str]:
    """Reader, lag in records and in time, the partitions."""
    return [
        row.reader or ("nobody" if are_all_known else "unknown"),
        "" if row.lag_records is None else f"{row.lag_records:,}",
        "" if row.lag_seconds is None else age(row.lag_seconds),
        _few(ranges(row.partitions), len(row.partitions)),
    ]


def _few(text: str, count: int) -> str:
    """The beginning of a list that is too long for its place."""
    if len(text) <= LIST_WIDTH:
        return text
    return f"{text[: text.rindex(', ', 0, LIST_WIDTH)]}, ... ({count:,})"


def letters_text(count: int) -> str:
    """How many dead letters are open."""
    if count == 0:
        return "no dead letter is open"
    return f"{count:,} dead {'letter is' if count == 1 else 'letters are'} open: lambda-app dead-letters list"


def job_text(job: JobFacts) -> str:
    """A job and how it went."""
    rows = f", {job.rows_loaded:,} rows" if job.rows_loaded is not None else ""
    return f"{job.job_id} for {job.file or job.business_date}: {job.status}{rows}"


def disk_text(disk: DiskFacts, with_host: bool) -> str:
    """What is left of a file system, and when it will be full."""
    share = disk.free_bytes / disk.size_bytes if disk.size_bytes else 0.0
    if not disk.is_pace_known:
        when = "when full: unknown"
    elif disk.full_in_seconds is None:
        when = "does not fill up"
    else:
        when = f"full in {span(disk.full_in_seconds)}"
    place = f"{disk.host}:{disk.mountpoint}" if with_host else disk.mountpoint
    return f"{place} has {size(disk.free_bytes)} of {size(disk.size_bytes)} left ({share:.0%}), {when}"


def timers_text(timers: Sequence[TimerFacts], now: datetime) -> str:
    """When each timer runs next."""
    return ", ".join(f"{timer.name.removesuffix('.timer')} {_next_run(timer.next_run_at, now)}" for timer in timers)


def _next_run(at: datetime | None, now: datetime) -> str:
    return "has no next run" if at is None else f"in {span(max(0.0, (at - now).total_seconds()))}"
