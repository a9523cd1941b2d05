"""Transactions and aggregates made by PostgreSQL itself: some 250,000 rows a second, shaped like the generator's."""

from datetime import date, datetime

import psycopg2

from lambda_app.core.transaction.generator import ACCOUNTS, CATEGORIES, TRANSACTION_TYPES

# Evenly spread over the period, in the order of the key. A high risk is one in fifty, most of the types are purchases.
TRANSACTIONS = """
INSERT INTO lambda.{partition} (
    transaction_id, account_id, transaction_type, amount, event_time,
    merchant_category, location, card_present, risk_score, ingestion_type
)
SELECT
    'TXN-' || lpad(number::text, 34, '0'),
    'ACC' || (10000000 + 8999 * floor(rank * rank * %(accounts)s)::int),
    (%(types)s::text[])[1 + floor(type * type * cardinality(%(types)s))::int],
    10 + round((490 * size ^ 3)::numeric, 2),
    %(start)s + (%(end)s - %(start)s) * (number::float8 / %(count)s),
    (%(categories)s::text[])[1 + floor(random() * cardinality(%(categories)s))::int],
    'Lake Curtis, AZ',
    random() < 0.75,
    round((0.05 + 0.4 * size ^ 3 + 0.55 * random() ^ 2)::numeric, 2),
    'STREAM'
FROM (
    SELECT number, random() AS rank, random() AS type, random() AS size
    FROM generate_series(0, %(count)s - 1) AS number
) AS numbers
"""
STATS = """
INSERT INTO lambda.{table} (
    {columns}minute, merchant_category, transaction_type,
    count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count
)
SELECT {values}minute, category, type, 90, 7263.35, 10.01, 498.73, 25.51, 2
FROM
    generate_series(%(start)s, %(end)s - interval '1 minute', interval '1 minute') AS minute,
    unnest(%(categories)s::text[]) AS category,
    unnest(%(types)s::text[]) AS type,
    generate_series(1, %(shards)s) AS shard
"""
Period = tuple[datetime, datetime]

NAMES = {"accounts": ACCOUNTS, "types": list(TRANSACTION_TYPES), "categories": list(CATEGORIES)}


def fill_transactions(connection: psycopg2.extensions.connection, day: date, period: Period, count: int) -> None:
    """Makes transactions of a period within a day, and their partition unless it is there."""
    _run(connection, f"SELECT lambda.ensure_partition('{day}')", period)
    statement = TRANSACTIONS.format(partition=f"transactions_{day:%Y%m%d}")
    _run(connection, statement, period, count=count)


def fill_speed_stats(connection: psycopg2.extensions.connection, period: Period, shards: int) -> None:
    """Makes a row for each minute of a period, each category, type and shard."""
    _run(connection, STATS.format(table="speed_stats", columns="shard, ", values="shard, "), period, shards=shards)


def fill_batch_stats(connection: psycopg2.extensions.connection, period: Period) -> None:
    """Makes a row for each minute of a period, each category and type."""
    _run(connection, STATS.format(table="batch_stats", columns="", values=""), period, shards=1)


def _run(connection: psycopg2.extensions.connection, statement: str, period: Period, **values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {**NAMES, "start": period[0], "end": period[1], **values})
