"""Rows in no order, nearly each with a key of its own: their aggregates are put off, and worked out later."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lambda_app import settings
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, STREAM, connect, transaction
from lambda_app.host.clock import SystemClock
from lambda_app.layers import speed_layer
from lambda_app.layers.day_tables import DayTables
from lambda_app.layers.recompute import dirty_days, recompute_days, recompute_uncounted
from lambda_app.layers.store import Store
from lambda_app.operate.maintenance import maintain
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import next_offsets
from tests.support.messages import message
from tests.support.processes import wait_until
from tests.support.recount import recount, served
from tests.support.sql import fetch_all
from tests.support.stored_rows import a_store

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
MANY = 20
WAITING_FOR_A_DAY = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 4 AND NOT granted"


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_layer, "_MANY_KEYS", MANY)
    monkeypatch.setattr(speed_layer, "_MOST_KEYS", 10 * MANY)


def over_days(rng: random.Random, count: int) -> list[bytes]:
    """Messages, nearly each of another minute."""
    times = [NOON - timedelta(days=20 * rng.random()) for _ in range(count)]
    return [message(event_time=time.isoformat()) for time in times]


def line(rng: random.Random, name: str, minute: int, day: int = 0) -> str:
    return encode_row(
        Transaction(
            job_id=None,
            transaction_id=name,
            account_id="A1",
            transaction_type=rng.choice(["purchase", "refund"]),
            amount=Decimal(rng.randrange(-(10**11), 10**11)).scaleb(-2),
            event_time=NOON + timedelta(days=day, minutes=minute),
            merchant_category=rng.choice(["gas", None, "a\tb\\"]),
            location=None,
            card_present=None,
            risk_score=rng.choice([None, Decimal("0.80"), Decimal("0.05")]),
        ),
        "STREAM",
    )


def in_no_order(rng: random.Random, name: str, count: int, day: int = 0) -> Rows:
    """A row a minute, in no order."""
    return Rows.of([line(rng, f"{name}{minute}", minute, day) for minute in rng.sample(range(count), count)])


def in_order(rng: random.Random, name: str, count: int) -> Rows:
    """Rows of a few keys."""
    return Rows.of([line(rng, f"{name}{number}", number // 100) for number in range(count)])


def add(store: Store, *pieces: Rows) -> None:
    for piece in pieces:
        DayTables(store.connection, store.days).ensure(piece)
    with store.transaction():
        for piece in pieces:
            store.add(piece)


def load(*pieces: Rows) -> None:
    with a_store() as store:
        add(store, *pieces)


def uncounted(database: Database) -> int:
    """How many minutes are."""
    return int(str(database.value("SELECT count(DISTINCT minute) FROM lambda.uncounted_minutes")))


def recomputed() -> list[int]:
    """How many transactions each day has that is recomputed for want of aggregates."""
    return [each.count for each in recompute_uncounted(SystemClock(), STREAM)]


def by_day_and_category(database: Database) -> list[tuple[object, ...]]:
    return database.query(
        "SELECT day, merchant_category, count, amount_sum, high_risk_count FROM stats_by_day_and_category"
    )


@pytest.mark.usefixtures("few_are_many")
def test_aggregates_are_counted_by_readers_until_they_are_worked_out(database: Database, rng: random.Random) -> None:
    load(in_no_order(rng, "A", 500), in_no_order(rng, "B", 30, day=1))

    assert (database.count("speed_stats"), uncounted(database)) == (0, 530)
    before = served(database), by_day_and_category(database)
    assert before[0] == recount(database)

    assert recomputed() == [500, 30]
    assert uncounted(database) == 0
    assert (served(database), by_day_and_category(database)) == before
    assert database.count("batch_stats") == len(before[0])
    assert recomputed() == []


@pytest.mark.usefixtures("few_are_many")
def test_rows_in_order_are_counted_at_once_beside_them(database: Database, rng: random.Random) -> None:
    load(in_no_order(rng, "A", 500), in_order(rng, "B", 1000))

    assert database.count("speed_stats") > 0
    assert served(database) == recount(database)
    assert recomputed() == [1500]
    assert database.count("speed_stats") == 0
    assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_few_rows_are_counted_at_once(database: Database, rng: random.Random) -> None:
    load(in_no_order(rng, "A", MANY))

    assert (database.count("speed_stats"), uncounted(database)) == (MANY, 0)
    assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_large_day_is_put_off_when_upserts_cost_as_much_as_counting_it(database: Database, rng: random.Random) -> None:
    load(in_order(rng, "A", 4000))

    put_off = []
    with a_store() as store:
        for number in range(10):
            add(store, in_no_order(rng, f"C{number}-", 25))
            put_off.append(uncounted(database))
            assert served(database) == recount(database)
    # Some 4,200 rows take as long to count as 210 keys to upsert.
    assert put_off[:5] == [0] * 5
    assert put_off[-1] == 25


@pytest.mark.usefixtures("few_are_many")
def test_day_that_retention_dropped_is_counted_at_once(database: Database, rng: random.Random) -> None:
    load(in_order(rng, "A", 100))
    list(recompute_days([NOON.date()], SystemClock()))
    maintain(3, SystemClock())
    assert database.count("transactions") == 0

    load(in_no_order(rng, "B", 100))

    assert uncounted(database) == 0
    assert sum(one[0] for one in served(database).values()) == 200


@pytest.mark.usefixtures("few_are_many")
def test_day_is_not_dropped_before_it_is_counted(
    database: Database, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DROP_WAIT_SECONDS", 0)
    load(in_no_order(rng, "A", 100))

    maintain(3, SystemClock())
    assert database.count("transactions") == 100

    recomputed()
    before = served(database)
    maintain(3, SystemClock())
    assert database.count("transactions") == 0
    assert served(database) == before


@pytest.mark.usefixtures("few_are_many")
def test_closed_day_is_worked_out_in_the_night(database: Database, rng: random.Random) -> None:
    load(in_no_order(rng, "A", 100))

    with closing(connect(BATCH)) as connection:
        assert dirty_days(connection) == [NOON.date()]
        list(recompute_days(dirty_days(connection), SystemClock()))
        assert dirty_days(connection) == []
    assert uncounted(database) == 0
    assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_what_a_failed_transaction_noted_is_noted_again(database: Database, rng: random.Random) -> None:
    with a_store() as store:
        add(store, in_no_order(rng, "A", 50))
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.add(in_no_order(rng, "B", 200))
            store._speed_layer.flush()
            raise ZeroDivisionError
        assert uncounted(database) == 50
        add(store, in_no_order(rng, "C", 200))

    assert uncounted(database) == 200
    assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_minutes_are_noted_again_after_a_recompute(database: Database, rng: random.Random) -> None:
    with a_store() as store:
        for name in "ABC":
            add(store, in_no_order(rng, name, 100))
            assert (store.has_put_off, uncounted(database)) == (True, 100)
            assert served(database) == recount(database)
            recomputed()
            assert uncounted(database) == 0
            assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_minutes_that_are_noted_are_not_noted_again(database: Database, rng: random.Random) -> None:
    with a_store() as store:
        for name in "ABC":
            add(store, in_no_order(rng, name, 100))

    assert database.count("uncounted_minutes") == 100
    assert served(database) == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_writers_of_the_same_minutes_do_not_wait_for_each_other(database: Database, rng: random.Random) -> None:
    with a_store(1) as first, a_store(2) as second:
        with transaction(second.connection):
            fetch_all(second.connection, "SET lock_timeout = '2s'")
        add(first, in_no_order(rng, "A", 100))
        with first.transaction():
            first.add(in_no_order(rng, "B", 300))
            first._speed_layer.flush()
            add(second, in_no_order(rng, "C", 300))
            assert served(database) == recount(database)

    assert served(database) == recount(database)
    assert recomputed() == [700]


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("where", ["minute >= '{}'", "minute = '{}'", "minute < '{}' AND merchant_category = 'gas'"])
def test_condition_reads_only_the_minutes_that_it_names(database: Database, rng: random.Random, where: str) -> None:
    load(in_no_order(rng, "A", 600))
    condition = where.format(NOON + timedelta(minutes=300))
    minutes = database.value(
        f"SELECT count(DISTINCT minute) FROM uncounted_minutes WHERE {condition.partition(' AND')[0]}"
    )

    calls = database.query(
        f"SET LOCAL track_functions = 'all'; SELECT count(*) FROM lambda.transaction_stats WHERE {condition};"
        "SELECT calls FROM pg_stat_xact_user_functions WHERE funcname = 'count_transactions'"
    )

    assert calls == [(minutes,)]


def test_consumer_works_out_after_a_backlog_what_it_put_off(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    kafka.produce(topic, over_days(rng, 60_000))

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as consumer:
        wait_until(lambda: uncounted(database) > 1000, what="rows without aggregates")
        wait_until(lambda: sum(next_offsets(database).values()) == 60_000, what="the end of the backlog")
        assert served(database) == recount(database)
        wait_until(lambda: uncounted(database) == 0, what="all aggregates")
        assert consumer.terminate() == 0
        assert "Traceback" not in consumer.text

    assert served(database) == recount(database)
    assert database.count("batch_days") == 21


def test_consumer_works_out_what_another_put_off(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_layer, "_MANY_KEYS", MANY)
    load(in_no_order(rng, "A", 100))
    before = served(database)

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as consumer:
        wait_until(lambda: uncounted(database) == 0, what="all aggregates")
        assert consumer.terminate() == 0

    assert served(database) == before == recount(database)


@pytest.mark.usefixtures("few_are_many")
def test_recompute_waits_for_rows_of_minutes_that_are_noted(database: Database, rng: random.Random) -> None:
    with a_store() as store:
        add(store, in_no_order(rng, "A", 100))
        with ThreadPoolExecutor() as executor:
            with store.transaction():
                store.add(in_no_order(rng, "B", 100))
                store._speed_layer.flush()
                recompute = executor.submit(recomputed)
                wait_until(lambda: recompute.done() or database.query(WAITING_FOR_A_DAY), what="a recompute that waits")
                assert not recompute.done()
            assert recompute.result() == [200]

    assert served(database) == recount(database)
