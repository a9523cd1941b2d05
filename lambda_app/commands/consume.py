"""`lambda-app consume`: Kafka to PostgreSQL, exactly once."""

import re

import click

from lambda_app import settings
from lambda_app.commands.options import metrics_address_option
from lambda_app.settings import Settings
from lambda_app.stream.supervisor import Supervisor

# What Kafka takes for the name of a member, shorter by the number of the worker.
_MEMBER = re.compile(r"[a-zA-Z0-9._-]{1,240}")


def _check_member(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not _MEMBER.fullmatch(value):
        raise click.BadParameter("it must be 1 to 240 letters, digits, '.', '_' or '-'")
    return value


@click.command()
@click.option("--workers", default=settings.CONSUME_WORKERS, type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--member",
    callback=_check_member,
    help="Begins the names of the workers in the consumer group; no other host may have it. Default: the host's name.",
)
@metrics_address_option
@click.pass_obj
def consume(config: Settings, workers: int, member: str | None, metrics_address: str) -> None:
    """Store the topic's messages in PostgreSQL until stopped."""
    Supervisor(config, workers, member=member, metrics_address=metrics_address).run()
