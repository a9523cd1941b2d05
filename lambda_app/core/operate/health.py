"""Whether the platform is healthy: facts in, reasons out. No reason means healthy; each one is a sentence for people.

A component that is not installed on this host is no reason: the platform may be spread over several hosts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from lambda_app.core.batch.inbox_entries import InboxEntry, inbox_reasons
from lambda_app.core.operate.components import Component, Kind, triggers
from lambda_app.core.operate.disks import DiskFacts
from lambda_app.core.operate.hosts import Hosts
from lambda_app.core.operate.other_hosts import UP, OtherHost, other_host_reasons
from lambda_app.core.operate.partitions import PartitionFacts
from lambda_app.core.operate.prometheus_answers import AlertFacts
from lambda_app.core.operate.timers import TimerFacts

LAG_LIMIT_RECORDS = 50_000
FRESHNESS_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """What systemd says of a unit; None where it says nothing, a limit of None is no limit."""

    loaded: bool
    active_state: str = "inactive"
    sub_state: str = "dead"
    result: str = "success"
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_share: float | None = None  # 1.0 is one core
    cpu_limit_share: float | None = None
    # By systemd, since the last start by hand.
    restarts: int | None = None
    control_group: str = ""
    # Of the periods of the last second in which it had work, the share in which CPUQuota held it back.
    throttled_share: float | None = None
    # Of a timer.
    next_run_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The stream as Kafka and PostgreSQL show it."""

    lag_records: int | None  # None: Kafka or PostgreSQL did not tell
    rows_per_second: float
    newest_age_seconds: float | None  # age of the newest stored row; None: no row yet
    gaps: int  # how often records were lost before they were read
    lag_seconds: float | None = None  # age of the oldest message that waits; None: a reader did not tell


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job of batch_jobs, as far as status shows it."""

    job_id: str
    business_date: date
    status: str
    attempts: int
    rows_loaded: int | None
    error: str | None
    # Name of the source system's file; None for a night's own job.
    file: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """All facts that the verdict rests on; where some could not be gathered, `errors` says why."""

    table: tuple[Component, ...]
    units: dict[str, UnitFacts]
    stream: StreamFacts | None
    last_job: JobFacts | None
    failed_jobs: tuple[JobFacts, ...] = ()
    errors: tuple[str, ...] = ()
    # Also empty on a host without an inbox.
    inbox: tuple[InboxEntry, ...] = ()
    # None where the list of hosts was not deployed: then this one is all.
    hosts: Hosts | None = None
    # The other hosts by their name.
    other_hosts: Mapping[str, OtherHost] = field(default_factory=dict)
    partitions: tuple[PartitionFacts, ...] = ()
    # Consumers whose metrics were not to be had, and why.
    silent_consumers: Mapping[str, str] = field(default_factory=dict)
    dead_letters_open: int | None = None
    disks: tuple[DiskFacts, ...] = ()
    # None: Prometheus was not asked or did not answer, and why_no_alerts says why.
    alerts: tuple[AlertFacts, ...] | None = None
    why_no_alerts: str = ""

    @property
    def timers(self) -> tuple[TimerFacts, ...]:
        """The timers of this host."""
        return tuple(
            TimerFacts(row.unit, self.units[row.unit].next_run_at)
            for row in self.table
            if row.kind is Kind.TIMER and not is_absent(row, self.units)
        )


def reasons_for_concern(facts: PlatformFacts) -> list[str]:
    """Every reason why the platform is not healthy, in the order of the table; empty when it is."""
    reasons = list(facts.errors)
    reasons += _target_reasons(facts)
    for component in facts.table:
        reasons += _unit_reasons(component, facts)
    for name, host in facts.other_hosts.items():
        reasons += other_host_reasons(name, host, facts.table)
    if facts.stream is not None:
        reasons += _stream_reasons(facts.stream, producing=_is_producing(facts))
    reasons += [_job_reason(job) for job in facts.failed_jobs]
    return reasons + list(inbox_reasons(facts.inbox))


def _job_reason(job: JobFacts) -> str:
    error = job.error or "no error noted"
    if job.file:
        return f"{job.job_id} for {job.file} was given up ({error}): mend the file and put it into the inbox again"
    return (
        f"{job.job_id} for {job.business_date} was given up ({error}): "
        f"lambda-app batch schedule --date {job.business_date} retries it"
    )


def is_absent(component: Component, units: dict[str, UnitFacts]) -> bool:
    """Whether the component does not run on this host."""
    return component.unit not in units or not units[component.unit].loaded


def is_as_expected(component: Component, unit: UnitFacts) -> bool:
    """Whether the unit is as one of its kind is when all is well."""
    match component.kind:
        case Kind.SETUP:
            return unit.active_state in {"active", "inactive"} and unit.result == "success"
        case Kind.JOB:
            return unit.active_state != "failed" and unit.sub_state != "auto-restart"
        case _:
            return unit.active_state == "active"


def _is_active(units: dict[str, UnitFacts], unit: str) -> bool:
    return unit in units and units[unit].active_state == "active"


def _is_producing(facts: PlatformFacts) -> bool:
    """Whether a producer runs, on whichever host."""
    elsewhere = [host.units.get("lambda-producer") for host in facts.other_hosts.values()]
    return _is_active(facts.units, "lambda-producer.service") or any(unit and unit.state == UP for unit in elsewhere)


def _target_reasons(facts: PlatformFacts) -> Iterator[str]:
    units = facts.units
    running = [each.name for each in facts.table if each.kind is Kind.SERVICE and _is_active(units, each.unit)]
    for target in (each.unit for each in facts.table if each.kind is Kind.TARGET):
        if running and target in units and units[target].loaded and not _is_active(units, target):
            state, names = units[target].active_state, ", ".join(running)
            yield f"{target} is {state} although {names} run: systemctl start {target}"


def _unit_reasons(component: Component, facts: PlatformFacts) -> Iterator[str]:
    if is_absent(component, facts.units):
        return
    unit = facts.units[component.unit]
    name, state = component.name, f"{unit.active_state} ({unit.sub_state})"
    is_wrong = not is_as_expected(component, unit)
    if component.kind is Kind.SERVICE and is_wrong:
        yield f"{name} is {state}, not active{_result(unit)}: {component.failure}"
    if component.kind is Kind.SETUP and is_wrong:
        yield f"{name} is {state}: its last run did not succeed{_result(unit)}: {component.failure}"
    if component.kind is Kind.JOB and is_wrong:
        waits = ", it is waiting to try again" if unit.sub_state == "auto-restart" else ""
        unit_name = component.unit.removesuffix(".service")
        remedy = f"journalctl -u {unit_name} says why, systemctl start {unit_name} repeats it"
        yield f"{name} failed{_result(unit)}{waits}: {component.failure}; {remedy}"
    # Also when the timer or path is not there at all, although what it starts is.
    for trigger in triggers(component, facts.table):
        if not _is_active(facts.units, trigger.unit):
            yield f"{trigger.unit} is not active: {trigger.failure}"


def _result(unit: UnitFacts) -> str:
    return "" if unit.result == "success" else f" (result: {unit.result})"


def _stream_reasons(stream: StreamFacts, producing: bool) -> Iterator[str]:
    if stream.lag_records is not None and stream.lag_records > 0 and stream.rows_per_second == 0:
        if stream.newest_age_seconds is None or stream.newest_age_seconds > FRESHNESS_LIMIT_SECONDS:
            yield f"the consumer is {stream.lag_records:,} records behind and does not move"
    elif stream.lag_records is not None and stream.lag_records > LAG_LIMIT_RECORDS:
        yield f"the consumer is {stream.lag_records:,} records behind, at {stream.rows_per_second:,.0f} rows/s"
    if not producing:
        return
    if stream.newest_age_seconds is None:
        yield "the producer runs and no row has arrived yet"
    elif stream.newest_age_seconds > FRESHNESS_LIMIT_SECONDS:
        yield f"the newest row is {stream.newest_age_seconds:,.0f} s old while the producer runs"
