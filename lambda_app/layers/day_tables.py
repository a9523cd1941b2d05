"""The partitions of `transactions`, a table a day: created before rows of their day are stored."""

from collections.abc import Iterable
from datetime import date

from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection, transaction
from lambda_app.database.queries import Queries

_QUERIES = Queries("storage")


class DayTables:
    """The tables of days that a writer knows to be there; creates others in transactions of their own.

    So its connection is one that nothing else is done on, or the writer's own between two transactions.
    """

    def __init__(self, connection: Connection, days: Days) -> None:
        self.connection = connection
        self._days = days
        self._known: set[date] = set()

    def has_all_for(self, rows: Rows) -> bool:
        """Whether the table of each of these rows is known to be there."""
        return not self._unknown(rows)

    def ensure(self, rows: Rows) -> None:
        """Creates the tables that these rows lack, and commits: others who create tables wait until then."""
        days = self._unknown(rows)
        if days:
            with transaction(self.connection):
                ensure_day_tables(self.connection, days)
            self._known |= days

    def _unknown(self, rows: Rows) -> set[date]:
        return self._days.of(rows.minutes()) - self._known


def ensure_day_tables(connection: Connection, days: Iterable[date]) -> None:
    """Creates the tables of these days unless they are there. Commit soon: others who create tables wait until then."""
    for day in sorted(days):
        _QUERIES.run(connection, "ensure_partition", day=day)
