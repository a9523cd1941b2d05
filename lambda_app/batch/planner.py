"""The planner of the batch: registers the due dates and the files of the inbox as pending jobs."""

from datetime import date, timedelta
from pathlib import Path

from lambda_app.batch import inbox
from lambda_app.batch.connection import QUERIES
from lambda_app.core.batch.schedule import GENERATED_SOURCE, ListedJob, due_dates
from lambda_app.database.connection import Connection, transaction
from lambda_app.database.zone import today
from lambda_app.errors import LambdaError, RetryableError
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import ensure_day_tables


def schedule(connection: Connection, directory: Path, clock: Clock, quiet_seconds: float) -> list[str]:
    """Registers what is due and what has come into the inbox, as pending jobs; returns their ids.

    Raises RetryableError when all that is left are entries of the inbox that can be neither loaded nor moved: the
    unit then waits before it starts again, which lambda-inbox.path would have it do at once.
    """
    due = schedule_due_jobs(connection)
    registered = inbox.register_files(connection, directory, clock, quiet_seconds)
    if registered.stuck and not due + registered.jobs:
        raise RetryableError(f"stuck in the inbox: {'; '.join(sorted(registered.stuck))}")
    return due + registered.jobs


def schedule_due_jobs(connection: Connection) -> list[str]:
    """Registers each due date that is not registered yet, as a pending job; returns the new job ids.

    Creates the tables of today and tomorrow too: this runs first each night.
    """
    with transaction(connection):
        this_day = today(connection)
        last = QUERIES.value_or_none(connection, "last_business_date", date, source=GENERATED_SOURCE)
        registered = [job_id for day in due_dates(last, this_day) if (job_id := _register(connection, day))]
        ensure_day_tables(connection, (this_day, this_day + timedelta(days=1)))
        return registered


def schedule_date(connection: Connection, day: date) -> str | None:
    """Registers one date, or gives a failed job its attempts back; None when its job is at work or done."""
    with transaction(connection):
        if day >= today(connection):
            raise LambdaError(f"{day} has not ended yet: only closed days are loaded")
        reopened = QUERIES.value_or_none(
            connection, "reopen_failed_job", str, source=GENERATED_SOURCE, business_date=day
        )
        return reopened or _register(connection, day)


def list_jobs(connection: Connection, limit: int) -> list[ListedJob]:
    """The newest jobs, newest first."""
    with transaction(connection):
        return QUERIES.rows(connection, "list_jobs", ListedJob, limit=limit)


def _register(connection: Connection, day: date) -> str | None:
    return QUERIES.value_or_none(connection, "register_job", str, source=GENERATED_SOURCE, business_date=day)
