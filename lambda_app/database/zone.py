"""The time zone that cuts the platform's days: the database's own setting, which no client may have overridden."""

from datetime import date
from zoneinfo import ZoneInfo

from lambda_app.database.connection import Connection
from lambda_app.database.queries import Queries

_QUERIES = Queries("zone")


def time_zone(connection: Connection) -> ZoneInfo:
    """The zone of the database, asked for inside the caller's transaction."""
    return ZoneInfo(_QUERIES.value(connection, "time_zone", str))


def today(connection: Connection) -> date:
    """The date it is there now, asked for inside the caller's transaction."""
    return _QUERIES.value(connection, "today", date)
