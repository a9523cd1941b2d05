"""The command `lambda-app`: options, logging, and the message and exit status that an error becomes.

A subcommand is a module in `commands/` with a click command or group of the same name, `_` for `-`.
"""

import importlib
import io
import logging
import sys

import click

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.errors import LambdaError
from lambda_app.host import logs, textfiles
from lambda_app.host.clock import SystemClock
from lambda_app.settings import Settings

logger = logging.getLogger(__name__)

COMMANDS = {
    "alerts": "Write Alertmanager's alerts into the journal.",
    "batch": "Register and run the nightly CSV jobs.",
    "consume": "Store the topic's messages in PostgreSQL.",
    "dead-letters": "Show, retry or discard messages and lines that were not valid.",
    "db": "Migrate and maintain the database.",
    "doctor": "Say what is wrong on this host, why, and what to do.",
    "metrics": "Serve what Prometheus asks of this host.",
    "produce": "Send generated transactions to the topic.",
    "recompute": "Count the aggregates of days again.",
    "status": "Show whether the platform is healthy.",
    "verify": "Audit what is stored against Kafka, itself and the files.",
}


class _LazyGroup(click.Group):
    """Imports a subcommand only when it is called: `lambda-app db` needs no Kafka client."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"lambda_app.commands.{name}")
        command = getattr(module, name)
        if not isinstance(command, click.Command):
            raise TypeError(f"lambda_app.commands.{name}.{name} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"auto_envvar_prefix": "LAMBDA", "show_default": True})
@click.option(
    "--kafka-bootstrap-servers", default=settings.KAFKA_BOOTSTRAP_SERVERS, help="Brokers, host:port,host:port."
)
@click.option("--kafka-topic", default=settings.KAFKA_TOPIC, help="Topic of the transactions.")
@click.option("--kafka-group", default=settings.KAFKA_GROUP, help="Consumer group.")
@click.option(
    "--kafka-security-protocol",
    type=click.Choice(["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"]),
    help="Default: SASL_PLAINTEXT when the credential is there, else PLAINTEXT.",
)
@click.option("--kafka-ca-file", type=click.Path(exists=True, dir_okay=False), help="Authorities to trust, for TLS.")
@click.option(
    "--kafka-api",
    type=click.Choice(["batches", "records"]),
    default="batches",
    help="How messages are read: by the batch, or by kafka-python's public interface.",
)
@click.option("--verbose", is_flag=True, help="Log details.")
@click.version_option(package_name="lambda-app")
@click.pass_context
def app(
    context: click.Context,
    kafka_bootstrap_servers: str,
    kafka_topic: str,
    kafka_group: str,
    kafka_security_protocol: str | None,
    kafka_ca_file: str | None,
    kafka_api: str,
    verbose: bool,
) -> None:
    """Programs of the Lambda data platform.

    Each option is also an environment variable: LAMBDA_KAFKA_TOPIC, LAMBDA_CONSUME_WORKERS, ...
    """
    logs.configure(verbose)
    context.obj = Settings(
        kafka_bootstrap_servers, kafka_topic, kafka_security_protocol, kafka_group, kafka_ca_file, kafka_api
    )


def main() -> None:
    """Runs the command; ends the process."""
    clock = SystemClock()
    started = clock.monotonic()
    status = _exit_status()
    textfiles.leave_run(status, started, clock)
    sys.exit(status)


def _exit_status() -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The locale may lack characters of names that are printed.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except LambdaError as error:
        fields = Event.PROGRAM_FAILED.fields(exit_status=error.exit_status)
        logger.error("%s", error, extra=fields)  # noqa: TRY400 - one clear line, no traceback
        return error.exit_status
    except Exception:
        # The log makes control characters visible on a terminal, and keeps a traceback one entry in the journal.
        logger.exception("Ended by an unexpected error", extra=Event.PROGRAM_CRASHED.fields())
        return 1
    return 0
