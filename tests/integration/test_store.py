"""Rows into a real PostgreSQL: what JSON can carry comes back the same, what is there already is not doubled."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import MAX_LENGTHS, Transaction, parse_message
from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import STREAM, Connection, connect, transaction
from lambda_app.errors import DatabaseUnavailable, InvalidMessage
from lambda_app.layers.dead_letters import New, record_dead_letters
from lambda_app.layers.store import Store
from tests.support.fixtures import Database
from tests.support.postgres_server import PostgresServer
from tests.support.sql import fetch_all
from tests.support.transactions import NOON, row, store, stored_ids


def test_chunk_of_several_days_goes_to_its_partitions(database: Database, connection: Connection) -> None:
    rows = [row(1), row(2, event_time=NOON - timedelta(days=400)), row(3)]

    with transaction(connection):
        result = store(connection, rows, "STREAM")

    assert (result.stored, result.duplicate, result.refused) == (3, 0, ())
    assert database.count("transactions_20260615") == 2
    assert database.count("transactions_20250511") == 1
    assert database.count("transactions", "ingestion_type = 'STREAM' AND ingested_at <= now()") == 3


def test_first_rows_of_a_transaction_take_no_savepoint(database: Database, connection: Connection) -> None:
    writer = Store(connection, 1)

    with writer.transaction():
        for number in (1, 2):
            writer.add(Rows.of([encode_row(row(number), "STREAM")]))
        rows_of_it = "SELECT transaction_id FROM lambda.transactions WHERE xmin = pg_current_xact_id()::xid"
        found = fetch_all(connection, rows_of_it)

    assert found == [("TXN-1",)]
    assert stored_ids(database) == ["TXN-1", "TXN-2"]


def test_replayed_chunk_stores_nothing_twice(database: Database, connection: Connection) -> None:
    with transaction(connection):
        store(connection, [row(1), row(2)], "STREAM")

    with transaction(connection):
        result = store(connection, [row(0), row(1), row(2), row(3)], "STREAM")

    assert (result.stored, result.duplicates) == (2, (1, 2))
    assert stored_ids(database) == ["TXN-0", "TXN-1", "TXN-2", "TXN-3"]


def test_clients_time_zone_cuts_no_days(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.query(f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'")
    # What root's shell may have: libpq sets the session's zone by it.
    monkeypatch.setenv("PGTZ", "America/New_York")
    rows = Rows.of([encode_row(row(1, event_time=datetime(2026, 6, 15, 20, tzinfo=UTC)), "STREAM")])

    with closing(connect(STREAM)) as connection:
        writer = Store(connection, 1)
        with writer.transaction():
            writer.add(rows)
            writer._speed_layer.flush()
            locks = "SELECT DATE '2000-01-01' + objid::int FROM pg_locks WHERE locktype = 'advisory' AND classid = 4"
            locked = fetch_all(connection, locks)
        assert connection.info.parameter_status("TimeZone") == "America/New_York"

    assert locked == [(date(2026, 6, 16),)]
    assert database.count("transactions_20260616") == 1


def test_chunks_of_one_transaction_do_not_mix(database: Database, connection: Connection) -> None:
    with transaction(connection):
        results = [store(connection, [row(n), row(n)], "BATCH") for n in range(3)]

    assert [(r.stored, r.duplicate) for r in results] == [(1, 1)] * 3
    assert database.count("transactions") == 3


def test_row_that_postgres_refuses_does_not_stop_its_neighbours(database: Database, connection: Connection) -> None:
    # A rule of which the program knows nothing.
    database.query("ALTER TABLE lambda.transactions ADD CONSTRAINT no_thirteen CHECK (location <> '13')")
    rows = [row(n, location=str(n)) for n in range(20)] + [row(20, location="13"), row(5, location="5")]

    with transaction(connection):
        result = store(connection, rows, "STREAM")

    assert (result.stored, result.duplicates) == (19, (21,))
    assert [refusal.index for refusal in result.refused] == [13, 20]
    assert "no_thirteen" in result.refused[0].reason
    assert database.count("transactions") == 19


def test_nothing_stays_when_the_transaction_is_rolled_back(database: Database, connection: Connection) -> None:
    with pytest.raises(ZeroDivisionError), transaction(connection):
        store(connection, [row(1)], "STREAM")
        raise ZeroDivisionError

    assert database.count("transactions") == 0


def test_outage_refuses_no_row(database: Database, connection: Connection) -> None:
    with pytest.raises(DatabaseUnavailable), transaction(connection):
        store(connection, [row(1)], "STREAM")
        database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lambda_stream'")
        store(connection, [row(2)], "STREAM")

    assert database.count("transactions") == 0


def test_day_that_begins_twice_is_stored_whole(postgres: PostgresServer, template: str, database: Database) -> None:
    # In Havana the clocks go back from 1:00 to 0:00: on 2025-11-02 the first hour comes twice.
    database.query(f"ALTER DATABASE {database.name} SET timezone = 'America/Havana'")
    start = datetime(2025, 11, 2, 2, tzinfo=UTC)
    rows = [row(n, event_time=start + timedelta(minutes=20 * n)) for n in range(15)]

    with closing(connect(STREAM)) as connection, transaction(connection):
        result = store(connection, rows, "STREAM")

    assert (result.stored, result.duplicate, result.refused) == (15, 0, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("UTC", "Asia/Tokyo"),
        ("UTC", "America/New_York"),
        ("Asia/Tokyo", "UTC"),
        # As far apart as zones are, more than a day.
        ("Etc/GMT+12", "Etc/GMT-14"),
        ("Etc/GMT-14", "Etc/GMT+12"),
    ],
)
def test_time_zone_of_the_database_may_change(database: Database, before: str, after: str) -> None:
    stored = 0
    # Two days before the change and two after it, in the order in which they come.
    for zone, first_hour in [(before, 0), (after, 48)]:
        database.query(f"ALTER DATABASE {database.name} SET timezone = '{zone}'")
        for hour in range(first_hour, first_hour + 48, 4):
            rows = [row(hour, event_time=NOON + timedelta(hours=hour)), row(hour + 1000)]
            with closing(connect(STREAM)) as connection, transaction(connection):
                result = store(connection, rows, "STREAM")
            assert result.refused == ()
            stored += result.stored

    assert database.count("transactions") == stored
    # And the days before the first one, which come late.
    with closing(connect(STREAM)) as connection, transaction(connection):
        late = [row(5000 + hour, event_time=NOON - timedelta(hours=hour)) for hour in range(72)]
        assert store(connection, late, "STREAM").stored == 72


def test_dead_letter_of_the_stream_is_kept_once(database: Database, connection: Connection) -> None:
    message = DeadLetter("not JSON", b"\x00\xff", topic="transactions", partition=3, offset=7)
    letters = [message, DeadLetter("no value", None, topic="transactions", partition=3, offset=8)]
    line = DeadLetter("amount is missing", b"a,b", file="day.csv", line=17)

    for kept in ([New(3, "not JSON"), New(3, "no value")], []):
        with transaction(connection):
            assert record_dead_letters(connection, letters) == kept
    with transaction(connection):
        record_dead_letters(connection, [line])

    rows = database.query('SELECT partition, "offset", file, line, raw, reason FROM lambda.dead_letters ORDER BY id')
    assert [(r[0], r[1], r[2], r[3], r[5]) for r in rows] == [
        (3, 7, None, None, "not JSON"),
        (3, 8, None, None, "no value"),
        (None, None, "day.csv", 17, "amount is missing"),
    ]
    assert [r[4] if r[4] is None else bytes(r[4]) for r in rows] == [b"\x00\xff", None, b"a,b"]  # type: ignore[call-overload]


texts = st.text(max_size=40)
fields = st.fixed_dictionaries(
    {name: texts | st.text(min_size=1, max_size=5) for name in ("transaction_id", "account_id", "transaction_type")}
    | {"amount": st.decimals("-1e10", "1e10", places=2) | st.floats() | st.integers()}
    | {"event_time": st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 4)).map(datetime.isoformat)},  # noqa: DTZ001
    optional={
        "merchant_category": texts,
        "location": texts,
        "job_id": texts,
        "card_present": st.booleans(),
        "risk_score": st.floats(0, 100) | st.none(),
    },
)


def encode(value: dict[str, object]) -> bytes:
    amount = value["amount"]
    spelled = str(amount) if isinstance(amount, Decimal) else json.dumps(amount)
    return json.dumps(value | {"amount": 0}).replace('"amount": 0', f'"amount": {spelled}', 1).encode()


# Each example is a chunk: PostgreSQL sees some 1,500 messages.
@settings(max_examples=75)
@given(st.lists(fields, min_size=1, max_size=40))
def test_every_value_that_json_can_carry_comes_back_the_same_or_is_rejected(
    values: Sequence[dict[str, object]],
) -> None:
    parsed = {}
    for value in values:
        try:
            transaction = parse_message(encode(value), NOON)
        except InvalidMessage:
            continue
        parsed.setdefault((transaction.event_time, transaction.transaction_id), transaction)

    with closing(connect(STREAM)) as connection:
        try:
            result = store(connection, list(parsed.values()), "STREAM")
            names = ", ".join(Transaction.__struct_fields__)
            back = fetch_all(connection, f"SELECT {names} FROM lambda.transactions")
        finally:
            connection.rollback()

    assert (result.stored, result.refused) == (len(parsed), ())
    assert {(r[5], r[1]): Transaction(*r) for r in back} == parsed  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _one_database_for_all_examples(database: Database) -> None:
    """Hypothesis wants its fixtures outside of the function that it calls many times."""


def test_longest_values_fit(database: Database, connection: Connection) -> None:
    longest = {name: "\U0001f600" * length for name, length in MAX_LENGTHS.items()}
    rows = [row(1, **longest, amount=Decimal("-9999999999.99"), risk_score=Decimal("99.99"))]

    with transaction(connection):
        assert store(connection, rows, "STREAM").stored == 1

    assert database.value("SELECT location FROM lambda.transactions") == longest["location"]
