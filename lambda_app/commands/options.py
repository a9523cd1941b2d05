"""Options that several subcommands have."""

import click

metrics_address_option = click.option(
    "--metrics-address",
    default="",
    metavar="HOST:PORT",
    help="Where Prometheus finds the metrics.  [default: nowhere]",
    show_default=False,
)
