"""Rows of one key: the same content is a duplicate, other content is refused, whoever comes first."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from lambda_app.core.transaction.copy_text import COLUMNS, encode_row
from lambda_app.core.transaction.outcome import Refusal, StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import STREAM, Connection, connect, transaction
from lambda_app.database.copy import copy_in
from lambda_app.database.queries import Queries
from lambda_app.layers.store import _find_conflicts
from tests.support.fixtures import Database
from tests.support.postgres_server import PostgresServer
from tests.support.processes import wait_until
from tests.support.sql import fetch_all
from tests.support.transactions import CONFLICT, NOON, row, store, stored_ids


@pytest.mark.parametrize("expect_duplicates", [False, True])
def test_of_rows_with_one_key_in_a_chunk_the_first_is_stored(
    database: Database, connection: Connection, expect_duplicates: bool
) -> None:
    rows = [row(1, location="first"), row(2), row(1, location="second"), row(1, location="first")]

    with transaction(connection):
        result = store(connection, rows, "STREAM", expect_duplicates)

    assert (result.stored, result.duplicates) == (2, (3,))
    assert result.refused == (Refusal(2, f"{CONFLICT}location is 'second', stored is 'first'"),)
    assert database.value("SELECT location FROM lambda.transactions WHERE transaction_id = 'TXN-1'") == "first"


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"account_id": "ACC-2"}, "account_id is 'ACC-2', stored is 'ACC-1'"),
        ({"transaction_type": "refund"}, "transaction_type is 'refund', stored is 'purchase'"),
        ({"amount": Decimal("-12.50")}, "amount is -12.50, stored is 12.50"),
        ({"merchant_category": "gas"}, "merchant_category is 'gas', stored is null"),
        ({"location": "Bonn"}, "location is 'Bonn', stored is null"),
        ({"card_present": False}, "card_present is false, stored is null"),
        ({"risk_score": Decimal("0.00")}, "risk_score is 0.00, stored is null"),
        ({"job_id": "J1"}, "job_id is 'J1', stored is null"),
        (
            {"amount": Decimal("12.49"), "location": "a\tb\x1b"},
            "amount is 12.49, stored is 12.50; location is 'a\\tb\\x1b', stored is null",
        ),
    ],
)
def test_row_with_other_content_is_no_duplicate(
    database: Database, connection: Connection, changes: dict[str, object], difference: str
) -> None:
    with transaction(connection):
        store(connection, [row(1)])

    with transaction(connection):
        result = store(connection, [row(0), row(1), row(1, **changes), row(2)])

    assert (result.stored, result.duplicates) == (2, (1,))
    assert result.refused == (Refusal(2, CONFLICT + difference),)
    assert result.aggregates == Rows.of([encode_row(row(n), "STREAM") for n in (0, 2)]).aggregates
    assert [each.index for each in result.refused] == [2]
    assert database.value("SELECT amount FROM lambda.transactions WHERE transaction_id = 'TXN-1'") == Decimal("12.50")


def test_empty_text_is_the_same_content_as_an_absent_one(database: Database, connection: Connection) -> None:
    empty = dict.fromkeys(("merchant_category", "location", "job_id"), "")
    with transaction(connection):
        store(connection, [row(1, **empty), row(2)])

    with transaction(connection):
        result = store(connection, [row(1), row(2, **empty), row(1, **empty, amount=Decimal(1))])

    assert result.duplicates == (0, 1)
    assert result.refused == (Refusal(2, f"{CONFLICT}amount is 1.00, stored is 12.50"),)


@pytest.mark.parametrize(("first", "second"), [("STREAM", "BATCH"), ("BATCH", "STREAM"), ("BATCH", "BATCH")])
def test_job_that_loads_a_row_is_no_content_of_it(
    database: Database, connection: Connection, first: str, second: str
) -> None:
    with transaction(connection):
        store(connection, [row(1, job_id="BAT00001")], first)

    with transaction(connection):
        result = store(connection, [row(1, job_id="BAT00002"), row(1, job_id="BAT00002", amount=Decimal(1))], second)

    assert result.duplicates == (0,)
    assert result.refused == (Refusal(1, f"{CONFLICT}amount is 1.00, stored is 12.50"),)


def test_conflicts_are_looked_up_by_the_key_in_the_partitions_of_their_rows(
    database: Database, connection: Connection
) -> None:
    days = [NOON + timedelta(days=n) for n in range(-20, 0)]
    rows = [row(n, event_time=day + timedelta(seconds=n)) for day in days for n in range(500)]
    with transaction(connection):
        store(connection, rows)

    with transaction(connection):
        lines = [encode_row(each, "STREAM") for each in rows[1000:3000]]
        for name in ("create_chunk_table", "empty_chunk_table"):
            Queries("storage").run(connection, name)
        copy_in(connection, "pg_temp.chunk", COLUMNS, "".join(lines).encode())
        before = scans(connection)
        conflicts = _find_conflicts(connection, lines, range(len(lines)))
        after = scans(connection)

    assert conflicts == ()
    looked_up = {table: (count, by_key) for table, (count, by_key) in after.items() if before[table] != (count, by_key)}
    assert looked_up == {
        table: (before[table][0], before[table][1] + 500)
        for table in (f"transactions_{day:%Y%m%d}" for day in days[2:6])
    }


def scans(connection: Connection) -> dict[object, tuple[int, int]]:
    """How often each partition was scanned, and looked into by an index, in this session."""
    rows = fetch_all(
        connection,
        "SELECT relname, seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname LIKE 'transactions\\_2%'",
    )
    return {name: (int(str(count)), int(str(by_key))) for name, count, by_key in rows}


def test_two_writers_of_a_conflict_keep_one_and_refuse_the_other(
    database: Database, connection: Connection, postgres: PostgresServer
) -> None:
    with closing(connect(STREAM)) as other, ThreadPoolExecutor(1) as thread:
        with transaction(connection):
            assert store(connection, [row(1, location="first")]).stored == 1

            def store_other() -> StoreResult:
                with transaction(other):
                    return store(other, [row(1, location="second"), row(2)])

            later = thread.submit(store_other)
            waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {other.info.backend_pid}"
            wait_until(lambda: database.value(waiting) == 1, what="the second writer waiting for the first")
        result = later.result(30)

    assert (result.stored, result.duplicates) == (1, ())
    assert result.refused == (Refusal(0, f"{CONFLICT}location is 'second', stored is 'first'"),)
    assert stored_ids(database) == ["TXN-1", "TXN-2"]
