"""Whether the platform is healthy: facts in, reasons out. No reason means healthy; each one is a sentence for people.

A component that is not installed on this host is no reason: the platform may be spread over several hosts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from lambda_app.core.batch.inbox_entries import InboxEntry, inbox_reasons

LAG_LIMIT_RECORDS = 50_000
FRESHNESS_LIMIT_SECONDS = 60.0


class UnitKind(StrEnum):
    """What a healthy unit of this kind looks like."""

    LONG_RUNNING = "long-running"  # is active
    SETUP = "setup"  # ran once, with success
    TIMER = "timer"  # is active, waiting
    JOB = "job"  # may be at work or not, but did not fail


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a unit, and what it means when that is not active."""

    unit: str
    consequence: str


@dataclass(frozen=True, slots=True)
class Component:
    """A line of the table of components: its name, the units that make it, and their kinds."""

    name: str
    unit: str
    kind: UnitKind
    triggers: tuple[Trigger, ...] = ()
    # What to do when it failed.
    remedy: str = ""


COMPONENTS = (
    Component("kafka", "kafka.service", UnitKind.LONG_RUNNING),
    Component("lambda-producer", "lambda-producer.service", UnitKind.LONG_RUNNING),
    Component("lambda-consumer", "lambda-consumer.service", UnitKind.LONG_RUNNING),
    Component(
        "lambda-cron-runner",
        "lambda-cron-runner.service",
        UnitKind.JOB,
        triggers=(
            Trigger("lambda-cron-runner.timer", "nothing starts lambda-cron-runner at midnight"),
            Trigger("lambda-inbox.path", "files in the inbox wait for midnight"),
        ),
    ),
    Component("lambda-csv-batch", "lambda-csv-batch.service", UnitKind.JOB),
    Component("lambda-postgres", "postgresql@15-main.service", UnitKind.LONG_RUNNING),
    Component("lambda-pgadmin", "lambda-pgadmin.service", UnitKind.LONG_RUNNING),
    Component("lambda-db-setup", "lambda-db-setup.service", UnitKind.SETUP),
)

# They keep the platform well, and have no row in the table.
HELPERS = (
    Component(
        "lambda-db-maintenance",
        "lambda-db-maintenance.service",
        UnitKind.JOB,
        remedy="journalctl -u lambda-db-maintenance says why, systemctl start lambda-db-maintenance repeats it",
    ),
    Component(
        "lambda-verify",
        "lambda-verify.service",
        UnitKind.JOB,
        triggers=(Trigger("lambda-verify.timer", "nothing audits the platform on Sundays"),),
        remedy="journalctl -u lambda-verify says what differs, systemctl start lambda-verify repeats it",
    ),
)
TARGET = "lambda.target"
UNITS = (
    *(component.unit for component in (*COMPONENTS, *HELPERS)),
    *(trigger.unit for component in (*COMPONENTS, *HELPERS) for trigger in component.triggers),
    TARGET,
)


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


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The stream as Kafka and PostgreSQL show it."""

    lag_records: int | None  # None: Kafka or PostgreSQL did not tell
    rows_per_second: float
    newest_age_seconds: float | None  # age of the newest stored row; None: no row yet
    gaps: int  # how often records were lost before they were read


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job of batch_jobs, as far as status shows it."""

    job_id: str
    business_date: date
    status: str
    attempts: int
    rows_loaded: int | None
    error: str | None
    # Of a source system; None for a night's own.
    file: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """All that a verdict rests on; an error text stands in for facts that could not be had."""

    units: dict[str, UnitFacts]
    stream: StreamFacts | None
    last_job: JobFacts | None
    failed_jobs: tuple[JobFacts, ...] = ()
    errors: tuple[str, ...] = ()
    # Empty too on a host without an inbox.
    inbox: tuple[InboxEntry, ...] = ()


def reasons_for_concern(facts: PlatformFacts) -> list[str]:
    """Every reason why the platform is not healthy, in the order of the table; empty when it is."""
    reasons = list(facts.errors)
    reasons += _target_reasons(facts.units)
    for component in (*COMPONENTS, *HELPERS):
        reasons += _unit_reasons(component, facts.units)
    if facts.stream is not None:
        reasons += _stream_reasons(facts.stream, producing=_is_active(facts.units, "lambda-producer.service"))
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


def _is_active(units: dict[str, UnitFacts], unit: str) -> bool:
    return unit in units and units[unit].active_state == "active"


def _target_reasons(units: dict[str, UnitFacts]) -> Iterator[str]:
    running = [each.name for each in COMPONENTS if each.kind is UnitKind.LONG_RUNNING and _is_active(units, each.unit)]
    if running and TARGET in units and units[TARGET].loaded and not _is_active(units, TARGET):
        yield f"{TARGET} is {units[TARGET].active_state} although {', '.join(running)} run: systemctl start {TARGET}"


def _unit_reasons(component: Component, units: dict[str, UnitFacts]) -> Iterator[str]:
    if is_absent(component, units):
        return
    unit = units[component.unit]
    state = f"{unit.active_state} ({unit.sub_state})"
    if component.kind is UnitKind.LONG_RUNNING and unit.active_state != "active":
        yield f"{component.name} is {state}, not active{_result(unit)}"
    if component.kind is UnitKind.SETUP and (
        unit.active_state not in {"active", "inactive"} or unit.result != "success"
    ):
        yield f"{component.name} is {state}: its last run did not succeed{_result(unit)}"
    if component.kind is UnitKind.JOB and (unit.active_state == "failed" or unit.sub_state == "auto-restart"):
        waits = ", it is waiting to try again" if unit.sub_state == "auto-restart" else ""
        remedy = f": {component.remedy}" if component.remedy else ""
        yield f"{component.name} failed{_result(unit)}{waits}{remedy}"
    for trigger in component.triggers:
        if not _is_active(units, trigger.unit):
            yield f"{trigger.unit} is not active: {trigger.consequence}"


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
