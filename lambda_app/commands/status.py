"""`lambda-app status`: the platform at a glance."""

from collections.abc import Iterable
from dataclasses import asdict

import click

from lambda_app.core.batch.inbox_entries import inbox_note, left_waiting, not_taken
from lambda_app.core.operate.components import Component, Kind, triggers
from lambda_app.core.operate.health import PlatformFacts, UnitFacts, is_absent, reasons_for_concern
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.environment import components_path
from lambda_app.host.terminal import Column, Styled
from lambda_app.operate.status import gather_facts, read_components
from lambda_app.settings import Settings

COLUMNS = (
    Column("component"),
    Column("state", fold=True),
    *(Column(heading, right=True) for heading in ("CPU", "of", "memory", "of")),
)
STATE_STYLES = {"active": "green", "failed": "red", "activating": "yellow", "deactivating": "yellow"}


@click.command()
@terminal.json_option
@click.pass_obj
def status(config: Settings, as_json: bool) -> None:
    """Show whether the platform is healthy: exit status 0 when it is, 1 when it is degraded."""
    facts = gather_facts(config, SystemClock(), read_components(components_path()))
    reasons = reasons_for_concern(facts)
    if as_json:
        terminal.say_json(_document(facts, reasons))
    else:
        _print(facts, reasons)
    if reasons:
        raise click.exceptions.Exit(1)


def _document(facts: PlatformFacts, reasons: list[str]) -> dict[str, object]:
    targets = [facts.units[row.unit] for row in facts.table if row.kind is Kind.TARGET and row.unit in facts.units]
    return {
        "healthy": not reasons,
        "reasons": reasons,
        "target": next((target.active_state for target in targets if target.loaded), None),
        "components": _units(_limited(facts), facts.units),
        "helpers": _units(_helpers(facts), facts.units),
        "stream": asdict(facts.stream) if facts.stream else None,
        "last_job": asdict(facts.last_job) if facts.last_job else None,
        "failed_jobs": [asdict(job) for job in facts.failed_jobs],
        "inbox": {
            "not_taken": sorted(entry.name for entry in not_taken(facts.inbox)),
            "waiting": sorted(entry.name for entry in left_waiting(facts.inbox)),
        },
    }


def _limited(facts: PlatformFacts) -> list[Component]:
    return [row for row in facts.table if row.cpu_quota]


def _helpers(facts: PlatformFacts) -> list[Component]:
    """What has no limits of its own: it is told of when it fails."""
    return [row for row in facts.table if row.kind in {Kind.SERVICE, Kind.SETUP, Kind.JOB} and not row.cpu_quota]


def _units(components: Iterable[Component], units: dict[str, UnitFacts]) -> dict[str, object]:
    return {each.name: None if is_absent(each, units) else asdict(units[each.unit]) for each in components}


def _print(facts: PlatformFacts, reasons: list[str]) -> None:
    terminal.say_table(COLUMNS, ([row.name, *_cells(row, facts)] for row in _limited(facts)))
    for line in _lines(facts):
        terminal.say(line)
    terminal.say()
    if not reasons:
        terminal.say(Styled("healthy", "green"))
    for reason in reasons:
        terminal.say(Styled("degraded: ", "red"), reason)


def _cells(component: Component, facts: PlatformFacts) -> list[str | Styled]:
    units = facts.units
    if is_absent(component, units):
        return [Styled("not here", "dim"), "", "", "", ""]
    unit = units[component.unit]
    state = f"{unit.active_state} ({unit.sub_state})"
    for trigger in triggers(component, facts.table):
        here = trigger.unit in units
        state += f", {trigger.kind} {units[trigger.unit].active_state}" if here else f", no {trigger.kind}"
    return [
        Styled(state, STATE_STYLES.get(unit.active_state, "default")),
        _share(unit.cpu_share),
        _share(unit.cpu_limit_share),
        _size(unit.memory_bytes),
        _size(unit.memory_limit_bytes),
    ]


def _lines(facts: PlatformFacts) -> list[str]:
    lines = []
    if facts.stream:
        stream = facts.stream
        lag = "unknown" if stream.lag_records is None else f"{stream.lag_records:,} records"
        age = (
            "no row yet" if stream.newest_age_seconds is None else f"newest row {stream.newest_age_seconds:,.1f} s old"
        )
        gaps = f", {stream.gaps} partitions lost records before they were read" if stream.gaps else ""
        lines.append(f"stream    {stream.rows_per_second:,.0f} rows/s, lag {lag}, {age}{gaps}")
    elif not facts.errors:
        lines.append("stream    shown on the host of the batch: this one has no password of lambda_reader")
    if facts.last_job:
        job = facts.last_job
        rows = f", {job.rows_loaded:,} rows" if job.rows_loaded is not None else ""
        lines.append(f"last job  {job.job_id} for {job.file or job.business_date}: {job.status}{rows}")
    if note := inbox_note(facts.inbox):
        lines.append(f"inbox     {note}")
    return lines


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    return f"{size_bytes / 2**30:.1f}G" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f}M"
