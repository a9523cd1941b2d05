"""Rows made at random, stored and recomputed as the programs do."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import STREAM, connect
from lambda_app.host.clock import SystemClock
from lambda_app.layers.recompute import recompute_days
from lambda_app.layers.store import Store

DAY = date(2026, 6, 15)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
TYPES = ("purchase", "refund")
CATEGORIES = ("gas", "grocery", None, "a\tb\\")


def random_row(rng: random.Random, number: int, time: datetime) -> Transaction:
    return Transaction(
        job_id=None,
        transaction_id=f"T{number}",
        account_id=f"A{rng.randrange(500)}",
        transaction_type=rng.choice(TYPES),
        amount=Decimal(rng.randrange(-(10**11), 10**11)).scaleb(-2),
        event_time=time,
        merchant_category=rng.choice(CATEGORIES),
        location=None,
        card_present=None,
        risk_score=rng.choice([None, Decimal("0.80"), Decimal(rng.randrange(10_000)).scaleb(-2)]),
    )


def random_rows(rng: random.Random, count: int, first: int = 0, minutes: int = 3) -> Rows:
    times = [NOON + timedelta(seconds=rng.randrange(60 * minutes)) for _ in range(count)]
    return Rows.of([encode_row(random_row(rng, first + n, time), "STREAM") for n, time in enumerate(times)])


@contextmanager
def a_store(shard: int = 1) -> Iterator[Store]:
    with closing(connect(STREAM)) as connection:
        yield Store(connection, shard)


def store(rows: Rows, shard: int = 1) -> None:
    with a_store(shard) as made, made.transaction():
        made.add(rows)


def recompute_all(*days: date) -> list[int]:
    return [each.count for each in recompute_days(days, SystemClock())]
