"""`lambda-app batch schedule | run | list`: the nightly CSV jobs."""

import logging
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from lambda_app import settings
from lambda_app.batch import planner
from lambda_app.batch.connection import connect_patiently
from lambda_app.batch.runner import BatchRun
from lambda_app.core.batch.schedule import ListedJob
from lambda_app.core.events import Event
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.environment import batch_directory
from lambda_app.host.terminal import Column, Styled

logger = logging.getLogger(__name__)

COLUMNS = (
    Column("job"),
    Column("date"),
    Column("source", fold=True),
    Column("status"),
    Column("attempts", right=True, wide=True),
    Column("read", right=True),
    Column("loaded", right=True),
    Column("duplicate", right=True, wide=True),
    Column("rejected", right=True, wide=True),
    Column("seconds", right=True, wide=True),
    Column("error", fold=True, below=True),
)
STATUS_STYLES = {"completed": "green", "failed": "red", "running": "yellow"}


directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=batch_directory,
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
    help="A file that has not changed for this long is complete.",
)
@directory_option
def schedule(day: datetime | None, quiet_seconds: float, directory: Path) -> None:
    """Register each closed day and each file of the inbox that has no job yet as pending.

    A fresh platform begins with yesterday. A file that is still being written is waited for a little, then left to the
    next call.
    """
    clock = SystemClock()
    with closing(connect_patiently(clock)) as connection:
        if day is None:
            registered = planner.schedule(connection, directory, clock, quiet_seconds)
        else:
            job_id = planner.schedule_date(connection, day.date())
            registered = [job_id] if job_id else []
    for job_id in registered:
        logger.info("%s is pending", job_id, extra=Event.JOB_PENDING.fields(job_id=job_id))
    if not registered:
        logger.info("No job is due", extra=Event.NOTHING_DUE.fields())


@batch.command()
@directory_option
def run(directory: Path) -> None:
    """Load the pending jobs, oldest first.

    Exit status 75: a job failed and is to be tried again, three times within two hours; 1: a job was given up.
    """
    BatchRun(directory, SystemClock()).run()


@batch.command("list")
@click.option("--limit", default=30, help="How many of the newest jobs.")
@terminal.json_option
def list_command(limit: int, as_json: bool) -> None:
    """Show the newest jobs."""
    with closing(connect_patiently(SystemClock())) as connection:
        jobs = planner.list_jobs(connection, limit)
    if as_json:
        terminal.say_json({"jobs": [asdict(job) for job in jobs]})
    else:
        terminal.say_table(COLUMNS, map(_cells, jobs))


def _cells(job: ListedJob) -> list[str | Styled]:
    counts = (job.rows_read, job.rows_loaded, job.rows_duplicate, job.rows_rejected)
    start, end = job.started_at, job.finished_at
    return [
        job.job_id,
        str(job.business_date),
        job.file or job.source,
        Styled(job.status, STATUS_STYLES.get(job.status, "default")),
        str(job.attempts),
        *("" if count is None else f"{count:,}" for count in counts),
        f"{(end - start).total_seconds():.1f}" if start and end else "",
        job.error or "",
    ]
