"""Rows that PostgreSQL stores while the next are read: none is lost or doubled, whatever fails."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection
from lambda_app.layers.store import Store
from tests.support.fixtures import Database
from tests.support.recount import recount, served
from tests.support.transactions import NOON, row, stored_ids


def read(*parts: Iterable[Transaction]) -> Iterator[Rows]:
    return (Rows.of([encode_row(each, "BATCH") for each in part]) for part in parts)


def test_rows_are_stored_while_the_next_are_read(database: Database, connection: Connection) -> None:
    database.query("SELECT lambda.ensure_partition('2026-06-15')")
    store = Store(connection, 1)

    with store.transaction():
        result = store.add_while_read(read([row(2), row(1)], [], [row(3)], [row(5), row(4)]))

    assert (result.stored, result.duplicates) == (5, ())
    assert stored_ids(database) == [f"TXN-{number}" for number in range(1, 6)]
    assert served(database) == recount(database)


@pytest.mark.parametrize("is_known", [True, False])
def test_of_rows_that_are_read_none_is_lost_or_doubled(
    database: Database, connection: Connection, is_known: bool
) -> None:
    """One is there already, one is refused, and the partition of one is missing."""
    database.query("ALTER TABLE lambda.transactions ADD CONSTRAINT no_thirteen CHECK (location <> '13')")
    store = Store(connection, 1)
    with store.transaction():
        store.add(Rows.of([encode_row(row(2), "STREAM")]))
    parts = read([row(1), row(2)], [row(13, location="13"), row(3)], [row(4, event_time=NOON - timedelta(days=400))])

    with store.transaction():
        result = store.add_while_read(parts, expect_duplicates=is_known)

    assert (result.stored, result.duplicates) == (3, (1,))
    assert [each.index for each in result.refused] == [2]
    assert next(parts, None) is None
    assert stored_ids(database) == ["TXN-1", "TXN-2", "TXN-3", "TXN-4"]
    assert served(database) == recount(database)


def test_error_of_reading_comes_through_and_nothing_is_stored(database: Database, connection: Connection) -> None:
    database.query("SELECT lambda.ensure_partition('2026-06-15')")
    store = Store(connection, 1)

    def torn() -> Iterator[Rows]:
        yield from read([row(1)], [row(2)])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"), store.transaction():
        store.add_while_read(torn())

    assert database.count("transactions") == 0
    with store.transaction():
        assert store.add_while_read(read([row(1)])).stored == 1
