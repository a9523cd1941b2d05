"""The partitions of `transactions`, a table a day: created before rows of their day are stored."""

from collections.abc import Iterable
from datetime import date

from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection, transaction
from lambda_app.database.queries import fetch_all, queries


class Partitions:
    """Makes the partitions of rows to come, on a connection of its own or between two transactions."""

    def __init__(self, connection: Connection, days: Days) -> None:
        self.connection = connection
        self._days = days
        self._known: set[date] = set()

    def lack(self, rows: Rows) -> set[date]:
        """Days of these rows that it has not made sure of."""
        return self._days.of(rows.minutes()) - self._known

    def ensure(self, rows: Rows) -> None:
        """Makes those that are missing, and commits: other makers of partitions wait."""
        days = self.lack(rows)
        if days:
            with transaction(self.connection):
                ensure_partitions(self.connection, days)
            self._known |= days


def ensure_partitions(connection: Connection, days: Iterable[date]) -> None:
    """Makes the partitions of these days unless they are there. Commit soon: other makers of partitions wait."""
    for day in sorted(days):
        fetch_all(connection, queries("storage")["ensure_partition"], {"day": day})
