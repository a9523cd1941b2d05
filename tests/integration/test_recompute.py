"""The lambda layers on a real PostgreSQL: the serving view equals a recount, during and after every recompute."""

import random
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, Connection, connect
from lambda_app.errors import LambdaError
from lambda_app.layers import recompute
from lambda_app.layers.recompute import dirty_days
from tests.support.fixtures import Database
from tests.support.program import run_program
from tests.support.recount import recount, served
from tests.support.stored_rows import (
    DAY,
    NOON,
    a_store,
    random_row,
    random_rows,
    recompute_all,
    store,
)


def test_speed_layer_serves_what_is_stored_duplicates_and_refusals_left_out(
    database: Database, rng: random.Random
) -> None:
    database.query("ALTER TABLE lambda.transactions ADD CONSTRAINT no_a13 CHECK (account_id <> 'A13')")
    rows = random_rows(rng, 3000)

    store(rows)
    store(random_rows(rng, 100, first=2950), shard=2)
    store(rows, shard=2)

    assert database.count("transactions") > 2900
    assert served(database) == recount(database)
    assert database.count("batch_stats") == 0


def test_nothing_stays_of_a_transaction_that_is_rolled_back(database: Database, rng: random.Random) -> None:
    with pytest.raises(ZeroDivisionError), a_store() as made, made.transaction():
        made.add(random_rows(rng, 100))
        raise ZeroDivisionError

    assert served(database) == recount(database) == {}


def test_recompute_moves_a_day_from_the_speed_layer_to_the_batch_layer(database: Database, rng: random.Random) -> None:
    store(random_rows(rng, 2000))
    with closing(connect(BATCH)) as connection:
        assert dirty_days(connection) == [DAY]

        assert recompute_all(DAY) == [2000]

        assert dirty_days(connection) == []
        store(random_rows(rng, 10, first=2000))
        assert dirty_days(connection) == [DAY]
    assert database.count("speed_stats") > 0
    assert served(database) == recount(database)
    assert recompute_all(DAY) == [2010]
    assert served(database, "batch_stats") == served(database) == recount(database)
    assert database.count("speed_stats") == 0


def test_recompute_of_a_day_touches_no_other(database: Database, rng: random.Random) -> None:
    edges = [NOON.replace(hour=0, minute=0), NOON.replace(hour=23, minute=59, second=59, microsecond=999_999)]
    around = [edges[0] - timedelta(microseconds=1), *edges, edges[1] + timedelta(microseconds=1)]
    store(Rows.of([encode_row(random_row(rng, n, time), "STREAM") for n, time in enumerate(around)]))

    assert recompute_all(DAY) == [2]

    of_day = f"minute >= '{DAY}Z' AND minute < '{DAY + timedelta(days=1)}Z'"
    assert served(database, "speed_stats", of_day) == {}
    assert sum(row[0] for row in served(database, "speed_stats").values()) == 2
    assert sum(row[0] for row in served(database, "batch_stats", of_day).values()) == 2
    assert served(database) == recount(database)


def test_day_totals_and_top_accounts_are_those_of_the_day(database: Database, rng: random.Random) -> None:
    store(random_rows(rng, 3000))

    recompute_all(DAY)

    assert database.query(
        "SELECT merchant_category, transaction_type, count, amount_sum, amount_min, amount_max"
        " FROM lambda.batch_day_stats ORDER BY 1, 2"
    ) == database.query(
        "SELECT merchant_category, transaction_type, count(*), sum(amount), min(amount), max(amount)"
        " FROM lambda.transactions GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert database.query("SELECT account_id, count, amount_sum FROM lambda.batch_top_accounts ORDER BY rank") == (
        database.query(
            "SELECT account_id, count(*), sum(amount) FROM lambda.transactions GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 100"
        )
    )


def test_view_is_exact_while_writers_and_recomputes_go_on(database: Database, rng: random.Random) -> None:
    is_over = threading.Event()
    failures: list[BaseException] = []

    def write(shard: int, chance: random.Random) -> None:
        try:
            with a_store(shard) as made:
                for number in range(shard * 10**6, shard * 10**6 + 10**5, 50):
                    if is_over.is_set():
                        return
                    with made.transaction():
                        made.add(random_rows(chance, 50, number))
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    writers = [threading.Thread(target=write, args=(n, random.Random(rng.random()))) for n in (1, 2, 3)]
    for writer in writers:
        writer.start()
    looks = 0
    deadline = time.monotonic() + 5
    with closing(database.server.connect(database.name)) as looker:
        looker.autocommit = False
        looker.set_session(isolation_level="REPEATABLE READ", readonly=True)
        while time.monotonic() < deadline:
            recompute_all(DAY)
            with looker.cursor() as cursor:
                cursor.execute(
                    "SELECT (SELECT coalesce(sum(count), 0) FROM lambda.transaction_stats),"
                    " (SELECT coalesce(sum(amount_sum), 0) FROM lambda.transaction_stats),"
                    " count(*), coalesce(sum(amount), 0) FROM lambda.transactions"
                )
                count, amount, rows, amounts = cursor.fetchone()
            looker.rollback()
            assert (count, amount) == (rows, amounts)
            looks += 1
    is_over.set()
    for writer in writers:
        writer.join(30)

    assert failures == []
    assert looks > 10
    print(f"{looks} recomputes and looks, {database.count('transactions')} rows")
    assert served(database) == recount(database)
    recompute_all(DAY)
    assert served(database, "batch_stats") == recount(database)


def test_late_event_does_not_wait_for_a_recompute_at_work(
    database: Database, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(random_rows(rng, 500))
    run, waits = recompute._QUERIES.run, []

    def with_a_late_chunk(connection: Connection, name: str, **values: object) -> int:
        if name == "insert_batch_stats":
            started = time.monotonic()
            # Of the same keys as the rows that the recompute has deleted and not yet committed.
            store(random_rows(rng, 500, first=500))
            waits.append(time.monotonic() - started)
        return run(connection, name, **values)

    monkeypatch.setattr(recompute._QUERIES, "run", with_a_late_chunk)

    assert recompute_all(DAY) == [500]

    assert waits[0] < 2
    assert served(database) == recount(database)
    assert database.count("transactions") == 1000


def test_recompute_waits_for_a_load_without_holding_up_the_stream(database: Database, rng: random.Random) -> None:
    store(random_rows(rng, 100, first=100))
    counts: list[int] = []
    recomputing = threading.Thread(target=lambda: counts.extend(recompute_all(DAY)))
    with a_store(shard=0) as load, load.transaction():
        load.add(random_rows(rng, 100))
        load._speed_layer.flush()
        recomputing.start()
        for number in range(5):
            started = time.monotonic()
            store(random_rows(rng, 100, first=1000 * number + 1000))
            assert time.monotonic() - started < 2
        assert counts == []
    recomputing.join(30)

    assert counts == [700]
    assert served(database, "batch_stats") == recount(database)


def test_scrambled_stats_are_restored_row_for_row_by_one_recompute(database: Database, rng: random.Random) -> None:
    for back in range(3):
        rows = [random_row(rng, back * 1000 + n, NOON - timedelta(days=back, seconds=n)) for n in range(1000)]
        store(Rows.of([encode_row(row, "STREAM") for row in rows]), shard=1 + back)
    recompute_all(DAY - timedelta(days=1))
    truth = served(database)
    database.query(
        "UPDATE lambda.batch_stats SET count = count * 3, amount_sum = -1, amount_max = NULLIF(amount_min, 0) + 5"
        " WHERE random() < 0.5"
    )
    database.query("DELETE FROM lambda.batch_stats WHERE random() < 0.2")
    database.query("UPDATE lambda.speed_stats SET minute = minute + interval '7 minutes', shard = shard + 10")
    database.query("INSERT INTO lambda.batch_stats VALUES (now() - interval '9 days', 'x', 'x', 1, 1, 1, 1, 1, 1)")
    assert served(database) != truth

    result = run_program(database.environment, "recompute", "--all")

    assert result.returncode == 0, result.stderr
    assert served(database) == truth == recount(database)
    assert database.count("speed_stats") == 0
    assert [str(DAY - timedelta(days=back)) in result.stderr for back in range(3)] == [True] * 3


def test_day_whose_transactions_were_dropped_is_not_recomputed(database: Database, rng: random.Random) -> None:
    store(random_rows(rng, 10))
    recompute_all(DAY)
    database.query(f"UPDATE lambda.batch_days SET dropped_at = now() WHERE day = '{DAY}'")

    with pytest.raises(LambdaError, match=f"{DAY} cannot be recomputed: retention dropped its transactions"):
        recompute_all(DAY)

    store(random_rows(rng, 10, first=10))
    with closing(connect(BATCH)) as connection:
        assert dirty_days(connection) == []
    assert database.count("batch_stats") > 0
