"""`lambda-app recompute`: the batch layer of any day, counted again."""

from contextlib import closing
from datetime import date, datetime

import click

from lambda_app.batch.connection import connect_patiently
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.layers.recompute import all_days, dirty_days, recompute_days


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), multiple=True, help="This day; may be given more than once.")
@click.option("--all", "all_days", is_flag=True, help="Every day that may have transactions, oldest first.")
def recompute(day: tuple[datetime, ...], all_days: bool) -> None:
    """Count the aggregates of days again from their transactions, while the stream goes on.

    Without an option: the closed days that have changed since their last recompute, as every night.
    """
    if day and all_days:
        raise click.UsageError("Give --day or --all, not both.")
    days = [each.date() for each in day] or _days(all_days)
    with terminal.progress() as progress:
        task = progress.add_task("days", total=len(days))
        for recomputed in recompute_days(days, SystemClock()):
            progress.update(task, advance=1, description=str(recomputed.day))


def _days(of_all: bool) -> list[date]:
    with closing(connect_patiently(SystemClock())) as connection:
        return all_days(connection) if of_all else dirty_days(connection)
