"""The metrics of the units of a host: how each is, and what it uses of its limits."""

from collections.abc import Iterator, Mapping

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Metric, Sample
from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.health import UnitFacts, is_as_expected

_OF_USE: tuple[tuple[Metric, str], ...] = (
    (declared.UNIT_CPU, "cpu_seconds"),
    (declared.UNIT_CPU_LIMIT, "cpu_limit_cores"),
    (declared.UNIT_PERIODS, "periods"),
    (declared.UNIT_THROTTLED, "throttled_periods"),
    (declared.UNIT_MEMORY, "memory_bytes"),
    (declared.UNIT_MEMORY_WITHOUT_CACHE, "memory_without_cache_bytes"),
    (declared.UNIT_MEMORY_LIMIT, "memory_limit_bytes"),
    (declared.UNIT_OOM_KILLS, "oom_kills"),
    (declared.UNIT_TASKS, "tasks"),
    (declared.UNIT_TASKS_LIMIT, "tasks_limit"),
)


def unit_samples(
    table: tuple[Component, ...], units: Mapping[str, UnitFacts], uses: Mapping[str, CgroupUse]
) -> Iterator[Sample]:
    """Of the components that this host has; `units` and `uses` are by unit. What is not known is left out."""
    for component in table:
        facts = units.get(component.unit)
        if facts is None or not facts.loaded:
            continue
        yield declared.UNIT_UP.sample(is_as_expected(component, facts), component.name)
        yield declared.UNIT_FAILED.sample(facts.active_state == "failed", component.name)
        if facts.restarts is not None:
            yield declared.UNIT_RESTARTS.sample(facts.restarts, component.name)
        use = uses.get(component.unit, CgroupUse())
        for metric, attribute in _OF_USE:
            value = getattr(use, attribute)
            if value is not None:
                yield metric.sample(value, component.name)
