"""Many aggregates at once: by COPY where their keys are new, by an upsert where not; the view is a recount."""

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, STREAM, Connection, connect, transaction
from lambda_app.errors import AccessRefused
from lambda_app.layers import speed_layer
from lambda_app.layers.speed_layer import assign_shard
from lambda_app.layers.store import BATCH_SHARD, Store
from tests.support.fixtures import Database
from tests.support.recount import recount, served
from tests.support.sql import fetch_all

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
CATEGORIES = ("gas", None, "a\tb\\")
MANY = 20


@pytest.fixture
def bulks(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """How many keys each COPY had, and whether they were new; so few are many here."""
    monkeypatch.setattr(speed_layer, "_MANY_KEYS", MANY)
    calls: list[tuple[int, bool]] = []
    insert = speed_layer.insert_stats

    def counted(connection: Connection, shard: int, items: list[object]) -> bool:
        is_new = insert(connection, shard, items)  # type: ignore[arg-type]
        calls.append((len(items), is_new))
        return is_new

    monkeypatch.setattr(speed_layer, "insert_stats", counted)
    return calls


def some_rows(rng: random.Random, numbers: Iterable[int], prefix: str = "T") -> Rows:
    """A row a number; two have one key, eight one minute."""
    return Rows.of(
        [
            encode_row(
                Transaction(
                    job_id=None,
                    transaction_id=f"{prefix}{number}",
                    account_id="A1",
                    transaction_type=f"type {number // 2 % 4}",
                    amount=Decimal(rng.randrange(-(10**11), 10**11)).scaleb(-2),
                    event_time=NOON + timedelta(minutes=number // 8),
                    merchant_category=CATEGORIES[number // 2 % 3],
                    location=None,
                    card_present=None,
                    risk_score=rng.choice([None, Decimal("0.80"), Decimal("0.05")]),
                ),
                "BATCH",
            )
            for number in numbers
        ]
    )


def load(pieces: Iterable[Rows]) -> None:
    with closing(connect(BATCH)) as connection:
        store = Store(connection, BATCH_SHARD)
        with store.transaction():
            for piece in pieces:
                store.add(piece)


def test_minutes_that_are_over_go_by_copy_while_the_load_goes_on(
    database: Database, rng: random.Random, bulks: list[tuple[int, bool]]
) -> None:
    load(some_rows(rng, range(start, start + 10)) for start in range(0, 240, 10))

    assert [is_new for _, is_new in bulks] == [True] * 4
    assert database.count("speed_stats") == 120 > sum(size for size, _ in bulks) > 80
    assert served(database) == recount(database)


def test_keys_that_are_there_already_are_added_to(
    database: Database, rng: random.Random, bulks: list[tuple[int, bool]]
) -> None:
    load([some_rows(rng, range(100))])
    bulks.clear()

    load(some_rows(rng, range(start, start + 10), "U") for start in range(50, 250, 10))

    # It is tried once.
    assert [is_new for _, is_new in bulks] == [False]
    assert (database.count("transactions"), database.count("speed_stats")) == (300, 125)
    assert served(database) == recount(database)


def test_what_a_failed_transaction_gathered_is_forgotten(
    database: Database, rng: random.Random, bulks: list[tuple[int, bool]]
) -> None:
    with closing(connect(BATCH)) as connection:
        store = Store(connection, BATCH_SHARD)
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.add(some_rows(rng, range(10)))
            raise ZeroDivisionError
        with store.transaction():
            store.add(some_rows(rng, range(100, 110)))

    assert database.count("transactions") == 10
    assert served(database) == recount(database)
    assert bulks == []


def test_each_member_has_a_shard_of_its_own_for_good(database: Database) -> None:
    with closing(connect(STREAM)) as connection:
        names = ["host-a-1", "host-a-2", "host-b-1", "host-a-1", "host-b-1"]
        with transaction(connection):
            shards = [assign_shard(connection, name) for name in names]

    assert shards == [1, 2, 3, 1, 3]


def test_members_that_come_at_once_have_shards_of_their_own(database: Database) -> None:
    def assign(number: int) -> int:
        # Two of each name, as when a worker is started again before PostgreSQL knows that the other is gone.
        with closing(connect(STREAM)) as connection, transaction(connection):
            return assign_shard(connection, f"host-{number // 2}-1")

    with ThreadPoolExecutor(max_workers=16) as pool:
        shards = list(pool.map(assign, range(16)))

    assert shards[::2] == shards[1::2]
    assert len(set(shards)) == 8


def test_stream_gets_its_shard_by_the_function_alone(database: Database) -> None:
    with closing(connect(STREAM)) as connection, pytest.raises(AccessRefused), transaction(connection):
        fetch_all(connection, "INSERT INTO speed_shards (member) VALUES ('mine') RETURNING shard")
    with closing(connect(BATCH)) as connection, pytest.raises(AccessRefused), transaction(connection):
        assign_shard(connection, "batch")


def test_shards_of_an_earlier_release_add_up_with_those_of_members(database: Database, rng: random.Random) -> None:
    def store(shard: int, prefix: str) -> None:
        made = Store(connection, shard)
        with made.transaction():
            made.add(some_rows(rng, range(40), prefix))

    with closing(connect(STREAM)) as connection:
        # Numbers of workers, as an earlier release took them.
        for shard in (1, 2):
            store(shard, f"old {shard} ")
        with transaction(connection):
            assigned = [assign_shard(connection, f"host-{letter}-1") for letter in "abc"]
        for shard in assigned:
            store(shard, f"new {shard} ")

    assert database.query("SELECT DISTINCT shard FROM lambda.speed_stats ORDER BY 1") == [(1,), (2,), (3,)]
    assert database.count("transactions") == 200
    assert served(database) == recount(database)
