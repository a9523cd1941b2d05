"""`lambda-app metrics`: what systemd, PostgreSQL and the inbox say, for Prometheus."""

import signal

import click

from lambda_app.host import exposition, notify, terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.environment import components_path
from lambda_app.operate.metrics import Exporter
from lambda_app.operate.status import read_components

_ENDING = {signal.SIGTERM, signal.SIGINT}


@click.command()
@click.option("--address", metavar="HOST:PORT", help="Where Prometheus finds them.  [default: printed once]")
@click.option(
    "--database/--no-database",
    default=True,
    help="Whether this host speaks for PostgreSQL and the inbox: one host of a platform should.",
)
def metrics(address: str | None, database: bool) -> None:
    """Serve the metrics of this host's units, of PostgreSQL and of the inbox."""
    exporter = Exporter(read_components(components_path()), SystemClock(), database)
    if address is None:
        for line in exposition.text(exporter.samples()).splitlines():
            terminal.say(line)
        return
    # The thread that answers scrapes leaves them to this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    exposition.serve(address, exporter.samples)
    notify.ready()
    signal.sigwait(_ENDING)
    notify.stopping()
