"""`lambda-app doctor`: what is wrong on this host, why, and what to do next."""

import click

from lambda_app.core.operate.doctor.checks import diagnose
from lambda_app.core.operate.doctor.finding import Cause, Finding, Where
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.environment import components_path
from lambda_app.host.terminal import Styled
from lambda_app.operate.doctor.gather import gather_facts
from lambda_app.operate.status import read_components
from lambda_app.settings import Settings


@click.command()
@click.option(
    "--partitions",
    type=click.IntRange(1),
    help="How many partitions the topic should have.  [default: not compared]",
    show_default=False,
)
@terminal.json_option
@click.pass_obj
def doctor(config: Settings, partitions: int | None, as_json: bool) -> None:
    """Say for each thing that is wrong on this host the cause and the next command.

    Changes nothing. Exit status 0: nothing is wrong; 1: something is.
    """
    found = diagnose(gather_facts(config, SystemClock(), read_components(components_path()), partitions))
    if as_json:
        terminal.say_json({"healthy": not found, "causes": [_document(each) for each in found]})
    else:
        _print(found)
    if found:
        raise click.exceptions.Exit(1)


def _document(cause: Cause) -> dict[str, object]:
    return _fields(cause.finding) | {"consequences": [_fields(each) for each in cause.consequences]}


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "about": finding.about,
        "cause": finding.cause,
        "command": finding.command,
        "where": finding.where,
        "mends": finding.mends,
    }


def _print(found: list[Cause]) -> None:
    for cause in found:
        finding = cause.finding
        verb = "mend" if finding.mends else "look"
        place = ", on the machine that deploys" if finding.where is Where.CONTROLLER else ""
        terminal.say(Styled("cause: ", "red"), finding.cause)
        terminal.say(f"  {verb}{place}: ", Styled(finding.command, "bold"))
        for consequence in cause.consequences:
            terminal.say("  and so: ", consequence.cause)
    if not found:
        terminal.say(Styled("nothing is wrong", "green"))
