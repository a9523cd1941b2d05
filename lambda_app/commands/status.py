"""`lambda-app status`: the platform at a glance, once or again and again."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from lambda_app.core.batch.inbox_entries import inbox_note
from lambda_app.core.operate.components import Component, triggers
from lambda_app.core.operate.health import PlatformFacts, is_absent, reasons_for_concern
from lambda_app.core.operate.other_hosts import DOWN, FAILED, UP, OtherHost, RemoteUnit
from lambda_app.core.operate.partitions import partition_rows
from lambda_app.core.operate.status_document import limited, status_document
from lambda_app.core.operate.status_text import (
    disk_text,
    job_text,
    letters_text,
    partition_cells,
    stream_text,
    timers_text,
    use_cells,
)
from lambda_app.host import screen, terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.environment import components_path, hosts_path
from lambda_app.host.terminal import Column, Grid, Line, Page, Styled
from lambda_app.operate.status import gather_facts, read_components, read_hosts
from lambda_app.settings import Settings

WATCH_SECONDS = 2.0
COLUMNS = (
    Column("component"),
    Column("state"),
    *(Column(heading, right=True) for heading in ("CPU", "of", "throttled", "memory", "of", "restarts")),
)
PARTITION_COLUMNS = (
    Column("reader"),
    Column("lag", right=True),
    Column("time", right=True),
    Column("partitions"),
)
STATE_STYLES = {
    "active": "green",
    "failed": "red",
    "activating": "yellow",
    "deactivating": "yellow",
    UP: "green",
    DOWN: "red",
    FAILED: "red",
}
HEALTHY = Styled("healthy", "green")
SEVERITY_STYLES = {"critical": "red", "warning": "yellow"}


@click.command()
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.0),
    default=WATCH_SECONDS,
    metavar="SECONDS",
    help="From one look of --watch to the next; a look itself takes a second.",
)
@terminal.json_option
@click.pass_obj
def status(config: Settings, watch: bool, interval: float, as_json: bool) -> None:
    """Show whether the platform is healthy: exit status 0 when it is, 1 when it is degraded.

    On a platform of several hosts it asks the others for their metrics, and says which it could not reach. --watch ends
    with the exit status of its last look.
    """
    clock, reasons = SystemClock(), list[str]()
    table, hosts = read_components(components_path()), read_hosts(hosts_path())

    def look() -> PlatformFacts:
        facts = gather_facts(config, clock, table, hosts)
        reasons[:] = reasons_for_concern(facts)
        return facts

    if as_json and watch:
        screen.repeat(lambda: terminal.say_json(status_document(look(), reasons)), interval, clock)
    elif as_json:
        terminal.say_json(status_document(look(), reasons))
    elif watch:
        screen.watch(lambda: _watched(look(), reasons, clock.now()), interval, clock)
    else:
        terminal.say_page(_once(look(), reasons, clock.now()))
    if reasons:
        raise click.exceptions.Exit(1)


def _once(facts: PlatformFacts, reasons: list[str], now: datetime) -> Page:
    """The verdict last: there people look when it has scrolled by."""
    lines = [Line(""), *_lines(facts, now), *_partitions(facts), Line("")]
    return [*_tables(facts), *lines, *_verdict(reasons)]


def _watched(facts: PlatformFacts, reasons: list[str], now: datetime) -> Page:
    """What changes and what is wrong first: a low window cuts off the rest."""
    head = Styled(f"{now:%Y-%m-%d %H:%M:%S} UTC, Ctrl-C ends", "dim")
    verdict = [Line(Styled("degraded", "red"), (head,)), *_verdict(reasons)] if reasons else [Line(HEALTHY, (head,))]
    return [*verdict, *_lines(facts, now), Line(""), *_tables(facts), *_partitions(facts)]


def _verdict(reasons: list[str]) -> Page:
    if not reasons:
        return [Line(HEALTHY)]
    return [Line(Styled("degraded: ", "red"), (reason,)) for reason in reasons]


def _tables(facts: PlatformFacts) -> Iterator[Line | Grid]:
    rows = limited(facts.table)
    if facts.hosts and facts.other_hosts:
        yield from _title(facts.hosts.here, facts.hosts.hosts[facts.hosts.here].groups)
    here = [row for row in rows if not (facts.other_hosts and is_absent(row, facts.units))]
    yield Grid(COLUMNS, [[row.name, *_cells(row, facts)] for row in here])
    for name, host in facts.other_hosts.items():
        yield Line("")
        yield from _title(name, host.groups)
        yield _other_host(host, rows)


def _title(name: str, groups: Sequence[str]) -> Iterator[Line]:
    yield Line(Styled(f"{name} ({', '.join(groups)})", "bold"))


def _other_host(host: OtherHost, rows: Sequence[Component]) -> Line | Grid:
    if host.error is not None:
        style = "red" if host.is_within_reach else "yellow"
        return Line(Styled(f"not reachable: {host.error}", style))
    units = ((row.name, host.units[row.name]) for row in rows if row.name in host.units)
    return Grid(COLUMNS, [_remote_cells(name, unit) for name, unit in units])


def _remote_cells(name: str, unit: RemoteUnit) -> list[str | Styled]:
    return [name, Styled(unit.state, STATE_STYLES[unit.state]), *use_cells(unit)]


def _cells(component: Component, facts: PlatformFacts) -> list[str | Styled]:
    units = facts.units
    if is_absent(component, units):
        return [Styled("not here", "dim"), "", "", "", "", "", ""]
    unit = units[component.unit]
    state = unit.active_state
    if not terminal.is_narrow():
        state += f" ({unit.sub_state})"
        for trigger in triggers(component, facts.table):
            here = trigger.unit in units
            state += f", {trigger.kind} {units[trigger.unit].active_state}" if here else f", no {trigger.kind}"
    return [Styled(state, STATE_STYLES.get(unit.active_state, "default")), *use_cells(unit)]


def _lines(facts: PlatformFacts, now: datetime) -> Iterator[Line]:
    if facts.stream:
        yield Line("stream", (stream_text(facts.stream),))
    elif not facts.errors:
        yield Line("stream", ("shown on the host of the batch: this one has no password of lambda_reader",))
    if facts.dead_letters_open is not None:
        yield Line("letters", (letters_text(facts.dead_letters_open),))
    if facts.last_job:
        yield Line("last job", (job_text(facts.last_job),))
    if note := inbox_note(facts.inbox):
        yield Line("inbox", (note,))
    if facts.timers:
        yield Line("timers", (timers_text(facts.timers, now),))
    yield from (Line("disk", (disk_text(disk, with_host=bool(facts.other_hosts)),)) for disk in facts.disks)
    yield from _alerts(facts)
    for name, why in facts.silent_consumers.items():
        yield Line("readers", (f"those of {name} are not known: {why}",))


def _partitions(facts: PlatformFacts) -> Iterator[Line | Grid]:
    if facts.partitions:
        are_all_known = facts.hosts is not None and not facts.silent_consumers
        yield Line("")
        yield Grid(PARTITION_COLUMNS, [partition_cells(row, are_all_known) for row in partition_rows(facts.partitions)])


def _alerts(facts: PlatformFacts) -> Iterator[Line]:
    if facts.alerts is None:
        if facts.hosts:
            yield Line("alerts", (f"unknown: {facts.why_no_alerts}",))
    elif not facts.alerts:
        yield Line("alerts", ("none fires",))
    for alert in facts.alerts or ():
        name = Styled(f"{alert.name} ({alert.severity})", SEVERITY_STYLES.get(alert.severity, "default"))
        yield Line("alert", (name, f": {alert.summary}"))
