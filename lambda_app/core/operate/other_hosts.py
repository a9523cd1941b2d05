"""What the metrics of another host say of it: its components, and what PostgreSQL and the inbox hold.

The way back from the samples of `unit_samples.py` and `database_samples.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Metric
from lambda_app.core.metrics.scraped import Scraped
from lambda_app.core.operate.cgroup import CgroupUse, throttled_share
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.hosts import BATCH

UP, DOWN, FAILED = "up", "down", "failed"


@dataclass(frozen=True, slots=True)
class RemoteUnit:
    """A component of another host; None where its metrics do not say, a limit of None is no limit."""

    # UP as status wants it, FAILED where systemd gave it up, else DOWN.
    state: str
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_share: float | None = None  # 1.0 is one core
    cpu_limit_share: float | None = None
    throttled_share: float | None = None
    restarts: int | None = None


@dataclass(frozen=True, slots=True)
class BatchNumbers:
    """What the host of the batch knows beyond its units."""

    dead_letters_open: int | None = None
    newest_age_seconds: float | None = None
    gaps: int = 0
    given_up_jobs: int = 0
    inbox_waiting: int = 0
    inbox_not_taken: int = 0


@dataclass(frozen=True, slots=True)
class OtherHost:
    """Another host of the platform."""

    groups: tuple[str, ...]
    # Why its metrics could not be asked for; None: they were.
    error: str | None = None
    # Whether the inventory lets this host reach them: then it is a fault when they do not answer.
    is_within_reach: bool = True
    # By component; empty when they were not asked for.
    units: Mapping[str, RemoteUnit] = field(default_factory=dict)
    # Of the host of the batch, when PostgreSQL answers it.
    batch: BatchNumbers | None = None


def other_host(groups: tuple[str, ...], table: tuple[Component, ...], earlier: Scraped, later: Scraped) -> OtherHost:
    """From two answers of its lambda-metrics, some time apart."""
    if later.value(declared.SOURCE_UP.name, source="systemd") != 1:
        return OtherHost(groups, error="its systemd does not answer lambda-metrics")
    units = {}
    for component in table:
        up = later.value(declared.UNIT_UP.name, component=component.name)
        if up is not None:
            units[component.name] = _unit(component.name, up == 1, earlier, later)
    knows_database = later.value(declared.SOURCE_UP.name, source="postgresql") == 1
    return OtherHost(groups, units=units, batch=_batch(later) if knows_database else None)


def other_host_reasons(name: str, host: OtherHost, table: tuple[Component, ...]) -> Iterator[str]:
    """Every reason why that host is not healthy."""
    if host.error is not None:
        if host.is_within_reach:
            yield f"{name} is not reachable, so what runs there is not known: {host.error}"
        return
    rows = {row.name: row for row in table}
    for component, unit in host.units.items():
        if unit.state != UP:
            yield f"{component} is {unit.state} on {name}: {rows[component].failure}"
    if BATCH in host.groups and host.batch is None:
        yield f"PostgreSQL does not answer lambda-metrics on {name}"
    if host.batch and host.batch.given_up_jobs:
        yield f"{_count(host.batch.given_up_jobs, 'job was', 'jobs were')} given up: {_named_by(name)}"
    if host.batch and host.batch.inbox_waiting:
        yield f"{_count(host.batch.inbox_waiting, 'file waits', 'files wait')} in the inbox: {_named_by(name)}"


def _named_by(name: str) -> str:
    return f"lambda-app status on {name} says which"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _unit(component: str, is_up: bool, earlier: Scraped, later: Scraped) -> RemoteUnit:
    has_failed = later.value(declared.UNIT_FAILED.name, component=component) == 1
    restarts = later.value(declared.UNIT_RESTARTS.name, component=component)
    before, use = _use(earlier, component), _use(later, component)
    share = None
    seconds = (later.value(declared.LOOKED_TIME.name) or 0) - (earlier.value(declared.LOOKED_TIME.name) or 0)
    if before.cpu_seconds is not None and use.cpu_seconds is not None and seconds > 0:
        # The CPU time of a unit that was restarted in between begins at zero.
        share = max(0.0, use.cpu_seconds - before.cpu_seconds) / seconds
    return RemoteUnit(
        state=UP if is_up else FAILED if has_failed else DOWN,
        memory_bytes=use.memory_bytes,
        memory_limit_bytes=use.memory_limit_bytes,
        cpu_share=share,
        cpu_limit_share=use.cpu_limit_cores,
        throttled_share=throttled_share(before, use),
        restarts=None if restarts is None else int(restarts),
    )


def _use(scraped: Scraped, component: str) -> CgroupUse:
    def fraction(metric: Metric) -> float | None:
        return scraped.value(metric.name, component=component)

    def whole(metric: Metric) -> int | None:
        value = fraction(metric)
        return None if value is None else int(value)

    return CgroupUse(
        cpu_seconds=fraction(declared.UNIT_CPU),
        cpu_limit_cores=fraction(declared.UNIT_CPU_LIMIT),
        periods=whole(declared.UNIT_PERIODS),
        throttled_periods=whole(declared.UNIT_THROTTLED),
        memory_bytes=whole(declared.UNIT_MEMORY),
        memory_limit_bytes=whole(declared.UNIT_MEMORY_LIMIT),
    )


def _batch(scraped: Scraped) -> BatchNumbers:
    given_up = sum(sample.value for sample in scraped.named(declared.GIVEN_UP_JOBS.name))
    letters = scraped.value(declared.DEAD_LETTERS_OPEN.name)
    return BatchNumbers(
        dead_letters_open=None if letters is None else int(letters),
        newest_age_seconds=scraped.value(declared.STORED_NEWEST_AGE.name),
        gaps=int(scraped.value(declared.GAPS.name) or 0),
        given_up_jobs=int(given_up),
        inbox_waiting=int(scraped.value(declared.INBOX_WAITING.name) or 0),
        inbox_not_taken=int(scraped.value(declared.INBOX_NOT_TAKEN.name) or 0),
    )
