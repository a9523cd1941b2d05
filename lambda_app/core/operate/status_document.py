"""The facts about the platform as one document for programs: docs/status.schema.json says what its keys mean."""

from collections.abc import Iterable
from dataclasses import asdict

from lambda_app.core.batch.inbox_entries import left_waiting, not_taken
from lambda_app.core.operate.components import Component, Kind
from lambda_app.core.operate.health import PlatformFacts, UnitFacts, is_absent


def status_document(facts: PlatformFacts, reasons: list[str]) -> dict[str, object]:
    """All facts and the verdict. Keys stay; new ones may come."""
    targets = [facts.units[row.unit] for row in facts.table if row.kind is Kind.TARGET and row.unit in facts.units]
    return {
        "healthy": not reasons,
        "reasons": reasons,
        "target": next((target.active_state for target in targets if target.loaded), None),
        "components": _units(limited(facts.table), facts.units),
        "helpers": _units(_helpers(facts.table), facts.units),
        "stream": asdict(facts.stream) if facts.stream else None,
        "last_job": asdict(facts.last_job) if facts.last_job else None,
        "failed_jobs": [asdict(job) for job in facts.failed_jobs],
        "inbox": {
            "not_taken": sorted(entry.name for entry in not_taken(facts.inbox)),
            "waiting": sorted(entry.name for entry in left_waiting(facts.inbox)),
        },
        "partitions": [asdict(each) for each in facts.partitions],
        "silent_consumers": dict(facts.silent_consumers),
        "dead_letters_open": facts.dead_letters_open,
        "disks": [asdict(disk) for disk in facts.disks],
        "timers": [asdict(timer) for timer in facts.timers],
        "alerts": None if facts.alerts is None else [asdict(alert) for alert in facts.alerts],
        "why_no_alerts": facts.why_no_alerts,
        "host": facts.hosts.here if facts.hosts else None,
        "other_hosts": {name: asdict(host) for name, host in facts.other_hosts.items()},
    }


def limited(table: Iterable[Component]) -> list[Component]:
    """The components that have limits of their own."""
    return [row for row in table if row.cpu_quota]


def _helpers(table: Iterable[Component]) -> list[Component]:
    """What has no limits of its own: it is told of when it fails."""
    return [row for row in table if row.kind in {Kind.SERVICE, Kind.SETUP, Kind.JOB} and not row.cpu_quota]


def _units(components: Iterable[Component], units: dict[str, UnitFacts]) -> dict[str, object]:
    return {each.name: None if is_absent(each, units) else asdict(units[each.unit]) for each in components}
