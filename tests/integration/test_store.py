"""Rows into a real PostgreSQL: what JSON can carry comes back the same, what is there already is not doubled."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.transaction.copy_text import COLUMNS, encode_row
from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.message import MAX_LENGTHS, Transaction, parse_message
from lambda_app.core.transaction.outcome import DeadLetter, Refusal, StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import STREAM, Connection, connect, transaction
from lambda_app.database.copy import copy_in
from lambda_app.database.queries import fetch_all, queries, time_zone_name
from lambda_app.errors import DatabaseUnavailable, InvalidMessage
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.store import Store, _find_conflicts, store_chunk
from tests.support.fixtures import Database
from tests.support.recount import recount, served
from tests.support.servers import PostgresServer, wait_until

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
CONFLICT = "conflicts with the stored transaction of this id and time: "


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(connect(STREAM)) as made:
        yield made


def row(number: int, **changes: object) -> Transaction:
    fields: dict[str, Any] = {
        "job_id": None,
        "transaction_id": f"TXN-{number}",
        "account_id": "ACC-1",
        "transaction_type": "purchase",
        "amount": Decimal("12.50"),
        "event_time": NOON + timedelta(seconds=number),
        "merchant_category": None,
        "location": None,
        "card_present": None,
        "risk_score": None,
    }
    return Transaction(**(fields | changes))


def store(
    connection: Connection, rows: Sequence[Transaction], ingestion_type: str = "STREAM", expect_duplicates: bool = False
) -> StoreResult:
    lines = [encode_row(each, ingestion_type) for each in rows]
    return store_chunk(connection, Rows.of(lines), Days(ZoneInfo(time_zone_name(connection))), expect_duplicates)


def stored_ids(database: Database) -> list[str]:
    return [str(r[0]) for r in database.query("SELECT transaction_id FROM lambda.transactions ORDER BY 1")]


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
            fetch_all(connection, queries("storage")[name])
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

    for partitions in ([3, 3], []):
        with transaction(connection):
            assert record_dead_letters(connection, letters) == partitions
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
