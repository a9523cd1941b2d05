"""Days before today with rows in them, and the maintenance of a night run on them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.outcome import StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import STREAM, connect
from lambda_app.host.clock import SystemClock
from lambda_app.layers.recompute import recompute_days
from lambda_app.layers.store import Store
from lambda_app.operate import maintenance
from tests.support.fixtures import Database

# Whoever builds an index waits for it.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1"
REPEATED = "SELECT day, repeated_ids FROM lambda.batch_days WHERE repeated_ids > 0 ORDER BY day"


def today() -> date:
    return datetime.now(UTC).date()


def noon(days_ago: int) -> datetime:
    return datetime(*today().timetuple()[:3], 12, tzinfo=UTC) - timedelta(days=days_ago)


def partition(days_ago: int) -> str:
    return f"transactions_{noon(days_ago):%Y%m%d}"


def rows(*ids_and_times: tuple[str, datetime]) -> Rows:
    return Rows.of(
        [
            encode_row(Transaction(None, number, "A1", "refund", Decimal(1), time, "gas", None, None, None), "STREAM")
            for number, time in ids_and_times
        ]
    )


def store(*ids_and_times: tuple[str, datetime], expect_duplicates: bool = False) -> StoreResult:
    with closing(connect(STREAM)) as connection:
        made = Store(connection, 1)
        with made.transaction():
            return made.add(rows(*ids_and_times), expect_duplicates)


def maintain(retention_days: int | None = None) -> None:
    maintenance.maintain(retention_days, SystemClock())


def recompute(*days_ago: int) -> None:
    list(recompute_days([noon(back).date() for back in days_ago], SystemClock()))


def partitions(database: Database) -> list[object]:
    return [
        name
        for (name,) in database.query(
            "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE relkind = 'r' ORDER BY 1"
        )
    ]


def indexes(database: Database) -> list[tuple[object, ...]]:
    """The indexes of the maintenance, and whether each is valid."""
    return database.query(
        "SELECT relname, indisvalid FROM pg_class JOIN pg_index ON indexrelid = oid"
        r" WHERE relname ~ '^transactions_\d{8}_id_idx$' ORDER BY oid"
    )


def all_but_transactions(database: Database) -> dict[str, list[tuple[object, ...]]]:
    tables = ("batch_stats", "batch_day_stats", "batch_top_accounts", "speed_stats", "dead_letters", "batch_jobs")
    return {
        table: database.query(f"SELECT t::text FROM lambda.{table} AS t ORDER BY 1")
        for table in (*tables, "transaction_stats", "stream_offsets", "stream_gaps")
    }


@contextmanager
def an_open_transaction(database: Database, statement: str) -> Iterator[None]:
    """Somebody who ran a statement and has not ended the transaction."""
    with closing(database.server.connect(database.name)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(statement)
        yield


@contextmanager
def in_the_background(retention_days: int | None = None) -> Iterator[Callable[[], None]]:
    """Gives what starts a maintenance; waits for its end."""
    thread = threading.Thread(target=maintain, args=(retention_days,), daemon=True)
    yield thread.start
    thread.join(30)
    assert not thread.is_alive()


def backend_waits(database: Database, statement: str) -> bool:
    """Whether the maintenance waits for a lock in such a statement."""
    where = f"application_name = 'lambda-db-maintenance' AND wait_event_type = 'Lock' AND query LIKE '%{statement}%'"
    return bool(database.query(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND {where}"))
