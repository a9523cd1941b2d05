"""`lambda-app verify`: is everything that was read stored exactly once, and counted right?"""

import logging
from dataclasses import asdict

import click

from lambda_app.core.events import Event
from lambda_app.core.metrics import declared
from lambda_app.core.operate.checks import Check
from lambda_app.host import terminal, textfiles
from lambda_app.host.clock import SystemClock
from lambda_app.host.terminal import Column, Styled
from lambda_app.operate import audit
from lambda_app.settings import Settings

# Before each example of a difference.
EXAMPLE_BREAK = "\n    "

logger = logging.getLogger(__name__)


@click.command()
@terminal.json_option
@click.pass_obj
def verify(config: Settings, as_json: bool) -> None:
    """Audit what is stored against Kafka, itself and the files, while the stream runs.

    Prints "exact", or each difference. Exit status 0: exact; 1: there are differences; 75: PostgreSQL or Kafka is away,
    nothing was compared.
    """
    clock = SystemClock()
    started = clock.monotonic()
    checks = audit.verify(config, clock)
    differences = [line for check in checks for line in check.differences]
    samples = (
        declared.VERIFY_DIFFERENCES.sample(len(differences)),
        declared.VERIFY_TIME.sample(clock.now().timestamp()),
        declared.VERIFY_SECONDS.sample(clock.monotonic() - started),
    )
    textfiles.leave("verify", samples)
    if as_json:
        terminal.say_json({"exact": not differences, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks, differences)
    if differences:
        first = differences[0].splitlines()[0]
        fields = Event.AUDIT_DIFFERS.fields(differences=len(differences))
        logger.error("Differences found by the audit: %d, the first: %s", len(differences), first, extra=fields)
        raise click.exceptions.Exit(1)
    logger.info("The audit found everything exact", extra=Event.AUDIT_EXACT.fields(differences=0))


def _print(checks: list[Check], differences: list[str]) -> None:
    columns = [Column("check"), Column("figures", fold=True), Column("result")]
    terminal.say_table(columns, ([check.name, check.figures, _result(check)] for check in checks))
    for check in checks:
        for note in check.notes:
            terminal.say(Styled("note: ", "yellow"), note)
    for difference in differences:
        headline, *examples = difference.split(EXAMPLE_BREAK)
        terminal.say(Styled("difference: ", "red"), headline)
        for example in examples:
            terminal.say("    ", example)
    if not differences:
        terminal.say(Styled("exact", "green"))


def _result(check: Check) -> Styled:
    count = len(check.differences)
    return Styled(f"{count} difference{'s' if count > 1 else ''}", "red") if count else Styled("ok", "green")
