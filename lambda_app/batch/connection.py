"""The connection of the batch role, and its queries."""

from lambda_app.database.connection import BATCH, Connection, connect
from lambda_app.database.patience import patiently
from lambda_app.database.queries import Queries
from lambda_app.host.clock import Clock

QUERIES = Queries("batch")


def connect_patiently(clock: Clock) -> Connection:
    """A connection of the batch role; waits, with growing delays, while PostgreSQL is away."""
    return patiently(open_connection, clock, "Waiting for PostgreSQL")


def open_connection() -> Connection:
    """Raises DatabaseUnavailable when trying again can help, AccessRefused when it cannot."""
    return connect(BATCH, "lambda-csv-batch")
