"""`lambda-app alerts`: Alertmanager's notifications into the journal."""

import click

from lambda_app.host import notify
from lambda_app.operate.alert_receiver import bind


@click.command()
@click.option("--address", default="127.0.0.1:9113", metavar="HOST:PORT", help="Where Alertmanager sends to.")
def alerts(address: str) -> None:
    """Write Alertmanager's alerts into the journal, at priority alert, until stopped."""
    with bind(address) as server:
        notify.ready()
        server.serve_forever()
