"""`lambda-app verify`: is everything that was read stored exactly once, and counted right?"""

import logging

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lambda_app import terminal
from lambda_app import verify as audit
from lambda_app.clock import SystemClock
from lambda_app.core.audit import Check
from lambda_app.settings import Settings

logger = logging.getLogger(__name__)


@click.command()
@click.pass_obj
def verify(config: Settings) -> None:
    """Audit what is stored against Kafka, itself and the files, while the stream runs.

    Prints "exact", or each difference. Exit status 0: exact; 1: there are differences; 75: PostgreSQL or Kafka is away,
    nothing was compared.
    """
    checks = audit.verify(config, SystemClock())
    differences = [line for check in checks for line in check.differences]
    _print(checks, differences)
    fields = {"differences": len(differences)}
    if differences:
        first = differences[0].splitlines()[0]
        logger.error("Differences found by the audit: %d, the first: %s", len(differences), first, extra=fields)
        raise click.exceptions.Exit(1)
    logger.info("The audit found everything exact", extra=fields)


def _print(checks: list[Check], differences: list[str]) -> None:
    console = terminal.output()
    table = Table(box=SIMPLE_HEAD)
    table.add_column("check", no_wrap=True)
    table.add_column("figures", overflow="fold")
    table.add_column("result", no_wrap=True)
    for check in checks:
        count = len(check.differences)
        result = f"[red]{count} difference{'s' if count > 1 else ''}[/]" if count else "[green]ok[/]"
        table.add_row(Text(check.name), Text(check.figures), result)
    console.print(table)
    for check in checks:
        for note in check.notes:
            console.print(Text("note: ", style="yellow").append(note, style="default"), soft_wrap=True)
    for line in differences:
        console.print(Text("difference: ", style="red").append(line, style="default"), soft_wrap=True)
    if not differences:
        console.print("[green]exact[/]")
