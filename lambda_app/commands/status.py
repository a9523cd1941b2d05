"""`lambda-app status`: the platform at a glance."""

import json
from dataclasses import asdict

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lambda_app import terminal
from lambda_app.clock import SystemClock
from lambda_app.core.health import (
    COMPONENTS,
    Component,
    PlatformFacts,
    UnitFacts,
    is_absent,
    reasons_for_concern,
)
from lambda_app.health import gather_facts
from lambda_app.settings import Settings

STATE_STYLES = {"active": "green", "failed": "red", "activating": "yellow", "deactivating": "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(config: Settings, as_json: bool) -> None:
    """Show whether the platform is healthy: exit status 0 when it is, 1 when it is degraded."""
    facts = gather_facts(config, SystemClock())
    reasons = reasons_for_concern(facts)
    if as_json:
        click.echo(json.dumps(_document(facts, reasons), indent=2, default=str))
    else:
        _print(facts, reasons)
    if reasons:
        raise click.exceptions.Exit(1)


def _document(facts: PlatformFacts, reasons: list[str]) -> dict[str, object]:
    return {
        "healthy": not reasons,
        "reasons": reasons,
        "components": {
            component.name: None if is_absent(component, facts.units) else asdict(facts.units[component.unit])
            for component in COMPONENTS
        },
        "stream": asdict(facts.stream) if facts.stream else None,
        "last_job": asdict(facts.last_job) if facts.last_job else None,
    }


def _print(facts: PlatformFacts, reasons: list[str]) -> None:
    console = terminal.output()
    table = Table(box=SIMPLE_HEAD)
    for heading in ("component", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("CPU", "of", "memory", "of"):
        table.add_column(heading, no_wrap=True, justify="right")
    for component in COMPONENTS:
        table.add_row(component.name, *_cells(component, facts.units))
    console.print(table)
    for line in _lines(facts):
        console.print(line)
    console.print()
    if not reasons:
        console.print("[green]healthy[/]")
    for reason in reasons:
        console.print(Text("degraded: ", style="red").append(reason, style="default"))


def _cells(component: Component, units: dict[str, UnitFacts]) -> list[str]:
    if is_absent(component, units):
        return ["[dim]not here[/]", "", "", "", ""]
    unit = units[component.unit]
    state = f"{unit.active_state} ({unit.sub_state})"
    for trigger in component.triggers:
        kind = trigger.unit.rpartition(".")[2]
        state += f", {kind} {units[trigger.unit].active_state}" if trigger.unit in units else f", no {kind}"
    return [
        f"[{STATE_STYLES.get(unit.active_state, 'default')}]{state}[/]",
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
    if facts.last_job:
        job = facts.last_job
        rows = f", {job.rows_loaded:,} rows" if job.rows_loaded is not None else ""
        lines.append(f"last job  {job.job_id} for {job.file or job.business_date}: {job.status}{rows}")
    return lines


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    return f"{size_bytes / 2**30:.1f}G" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f}M"
