"""`lambda-app batch schedule | run | list`: the nightly CSV jobs."""

import logging
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lambda_app import batch as jobs
from lambda_app import settings, terminal
from lambda_app.clock import SystemClock

logger = logging.getLogger(__name__)

STATUS_STYLES = {"completed": "green", "failed": "red", "running": "yellow"}


directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.batch_directory,
    show_default="$STATE_DIRECTORY",
    help="Where inbox/, done/, failed/ and generated/ are.",
)


@click.group()
def batch() -> None:
    """Register and run the jobs of the batch: the nights, and files from source systems."""


@batch.command()
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Register this closed day alone, or give its failed job three new attempts.",
)
@click.option(
    "--quiet-seconds",
    default=settings.INBOX_QUIET_SECONDS,
    type=click.FloatRange(0),
    help="A file that has not changed for so long is complete.",
)
@directory_option
def schedule(day: datetime | None, quiet_seconds: float, directory: Path) -> None:
    """Register each closed day and each file of the inbox that has no job yet as pending.

    A fresh platform begins with yesterday. A file that is still being written is waited for a little, then left for the
    next call.
    """
    clock = SystemClock()
    with closing(jobs.connect_patiently(clock)) as connection:
        if day is None:
            registered = jobs.schedule(connection, directory, clock, quiet_seconds)
        else:
            job_id = jobs.schedule_date(connection, day.date())
            registered = [job_id] if job_id else []
    for job_id in registered:
        logger.info("%s is pending", job_id, extra={"job_id": job_id})
    if not registered:
        logger.info("No job is due")


@batch.command()
@directory_option
def run(directory: Path) -> None:
    """Load the pending jobs, oldest first.

    Exit status 75: a job failed and is to be tried again, three times within two hours; 1: a job was given up.
    """
    jobs.BatchRun(directory, SystemClock()).run()


@batch.command("list")
@click.option("--limit", default=30, help="How many of the newest jobs.")
def list_command(limit: int) -> None:
    """Show the newest jobs."""
    with closing(jobs.connect_patiently(SystemClock())) as connection:
        rows = jobs.list_jobs(connection, limit)
    terminal.output().print(_table(rows))


def _table(rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("job", no_wrap=True)
    table.add_column("date", no_wrap=True)
    table.add_column("source", overflow="fold")
    table.add_column("status", no_wrap=True)
    for heading in ("attempts", "read", "loaded", "duplicate", "rejected", "seconds"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("error", overflow="fold")
    for job_id, day, source, status, attempts, *counts, started_at, finished_at, error, file in rows:
        style = STATUS_STYLES.get(status, "default")
        seconds = f"{(finished_at - started_at).total_seconds():.1f}" if started_at and finished_at else ""
        figures = ["" if count is None else f"{count:,}" for count in counts]
        cells = [job_id, str(day), Text(file or source), f"[{style}]{status}[/]", str(attempts), *figures, seconds]
        table.add_row(*cells, Text(error or ""))
    return table
