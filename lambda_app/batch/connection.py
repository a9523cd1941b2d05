"""The connection of the batch role, and its queries."""

import logging

from lambda_app import settings
from lambda_app.core.backoff import Backoff
from lambda_app.database.connection import BATCH, Connection, connect
from lambda_app.database.queries import Queries
from lambda_app.errors import DatabaseUnavailable
from lambda_app.host.clock import Clock

logger = logging.getLogger(__name__)

QUERIES = Queries("batch")


def connect_patiently(clock: Clock) -> Connection:
    """A connection of the batch role; waits, with growing delays, while PostgreSQL is away."""
    backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
    while True:
        try:
            return open_connection()
        except DatabaseUnavailable as error:
            logger.warning("Waiting for PostgreSQL: %s", error)
            clock.sleep(backoff.next_delay())


def open_connection() -> Connection:
    """Raises DatabaseUnavailable when trying again can help, AccessRefused when it cannot."""
    return connect(BATCH, "lambda-csv-batch")
