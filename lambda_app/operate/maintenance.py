"""The housekeeping of each night: day tables ahead of time, the index and the count of each closed day, retention.

Each step looks at what there is and does what is missing: killed at any point, the next run goes on from there.
"""

import logging
from contextlib import closing
from datetime import timedelta
from functools import partial

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.database.connection import OWNER, Connection, connect, translated_errors
from lambda_app.database.locks import Lock, hold
from lambda_app.database.patience import is_outage, patiently
from lambda_app.database.zone import today
from lambda_app.errors import DatabaseUnavailable, LambdaError
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import ensure_day_tables
from lambda_app.operate.closed_days import build_indexes, count_repeated_ids, list_closed_days
from lambda_app.operate.retention import drop_days

logger = logging.getLogger(__name__)


def maintain(retention_days: int | None, clock: Clock) -> None:
    """Does all that is missing, days past retention (None: keep all) last; waits while PostgreSQL is away.

    Raises LambdaError when something does not go away by waiting.
    """
    work = partial(_maintain_once, retention_days, clock)
    patiently(work, clock, "The maintenance goes on when PostgreSQL is back")


def _connect() -> Connection:
    # No hashing: the planner expects far too few transaction ids, and their hash table would not fit into memory.
    connection = connect(OWNER, "lambda-db-maintenance", {"enable_hashagg": "off"})
    # CREATE INDEX CONCURRENTLY must run outside of a transaction.
    connection.autocommit = True
    return connection


def _maintain_once(retention_days: int | None, clock: Clock) -> None:
    with closing(_connect()) as connection:
        try:
            _do_what_is_missing(connection, retention_days, clock)
        except DatabaseUnavailable as error:
            if is_outage(error, connection):
                raise
            raise LambdaError(f"The maintenance failed, and goes on the next night: {error}") from error


def _do_what_is_missing(connection: Connection, retention_days: int | None, clock: Clock) -> None:
    with translated_errors():
        if not hold(connection, Lock.MAINTENANCE, settings.LOCK_WAIT_SECONDS, clock):
            logger.warning(
                "Another maintenance is at work: nothing to do for this one", extra=Event.ALREADY_RUNNING.fields()
            )
            return
        this_day = today(connection)
        ensure_day_tables(connection, (this_day, this_day + timedelta(days=1)))
        closed = list_closed_days(connection)
        build_indexes(connection, closed, clock)
        count_repeated_ids(connection, closed, clock)
        if retention_days is not None:
            past = [each for each in closed if each.age_days > retention_days]
            drop_days(connection, past, clock)
