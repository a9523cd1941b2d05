"""`lambda-app db migrate | status | maintain`: the schema of the database, and its housekeeping."""

import click

from lambda_app import settings
from lambda_app.database.patience import patiently
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.operate import maintenance, migrations


@click.group()
def db() -> None:
    """Migrate and maintain the database."""


@db.command()
@click.option("--wait-seconds", default=settings.MIGRATE_WAIT_SECONDS, help="How long to wait for PostgreSQL.")
def migrate(wait_seconds: float) -> None:
    """Apply the migrations that are missing; safe to run twice and at once."""
    applied = patiently(migrations.migrate, SystemClock(), "Waiting for PostgreSQL", wait_seconds)
    for name in applied:
        terminal.say(f"applied {name}")
    terminal.say(f"the schema is up to date ({len(applied)} migrations applied now)")


@db.command()
@terminal.json_option
def status(as_json: bool) -> None:
    """List the migrations; exit status 1 when one is missing."""
    rows = migrations.list_migrations()
    is_complete = all(applied for _, applied in rows)
    if as_json:
        listed = [{"name": name, "applied": applied} for name, applied in rows]
        terminal.say_json({"up_to_date": is_complete, "migrations": listed})
    else:
        for name, applied in rows:
            terminal.say(f"{'applied' if applied else 'missing'} {name}")
    if not is_complete:
        raise click.exceptions.Exit(1)


@db.command()
@click.option(
    "--retention-days",
    type=click.IntRange(min=1),
    help="How many days before today are kept; transactions of older ones are dropped. Without it all are kept.",
)
def maintain(retention_days: int | None) -> None:
    """Create the tables of today and tomorrow, index and count closed days, drop those past retention.

    Runs every night and may be run at any time: it does only what is missing.
    """
    maintenance.maintain(retention_days, SystemClock())
