"""How long the views take that people open first: planned and run as lambda_reader, a new connection each time."""

import os
import statistics
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg2

from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.queries import Queries
from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest
from tests.benchmark.synthetic import fill_batch_stats, fill_speed_stats, fill_transactions

ROWS_TODAY = int(os.environ.get("LAMBDA_BENCH_ROWS", "10000000"))
DAYS = int(os.environ.get("LAMBDA_BENCH_DAYS", "100"))
ROWS_A_DAY = 50_000
SHARDS = 2
RUNS = 5
# Of the days that are closed, what a recompute makes of batch_stats and transactions.
STEPS = ("insert_day_stats", "insert_top_accounts", "record_day")
VIEWS = (
    "stats_today_by_minute",
    "stats_by_day_and_category",
    "top_accounts_by_day",
    "high_risk_last_hour",
    "ingest_freshness",
)
# What people ask transaction_stats for.
CONDITIONS = {
    "a minute": "minute = date_trunc('minute', now() - interval '1 hour')",
    "an hour": "minute >= now() - interval '1 hour'",
    "today": "minute >= lambda.day_start(lambda.today())",
    "yesterday": "minute >= lambda.day_start(lambda.today() - 1) AND minute < lambda.day_start(lambda.today())",
}


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    with platform.database() as database:
        fill(platform, database)
        for view in VIEWS:
            yield Figure(view, milliseconds(platform, database, view), "ms", at_most=100)
        for name, condition in CONDITIONS.items():
            duration = milliseconds(platform, database, f"transaction_stats WHERE {condition}")
            yield Figure(f"transaction_stats, {name}", duration, "ms", at_most=100)


def fill(platform: PlatformUnderTest, database: str) -> None:
    """Days of history, recomputed, and a day that the stream has almost filled."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    zone_name = evening_zone(now)
    zone = ZoneInfo(zone_name)
    today = now.astimezone(zone).date()
    platform.postgres.execute(f"ALTER DATABASE {database} SET timezone = '{zone_name}'")
    with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
        for number in range(DAYS, 0, -1):
            fill_closed_day(connection, today - timedelta(days=number), zone)
        so_far = (day_bounds(today, zone)[0], now)
        fill_transactions(connection, today, so_far, ROWS_TODAY)
        fill_speed_stats(connection, so_far, SHARDS)
        cursor.execute(
            "INSERT INTO lambda.stream_offsets (topic, partition, next_offset)"
            f" SELECT 'transactions', number, 1 FROM generate_series(1, {PARTITIONS}) AS number"
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def fill_closed_day(connection: psycopg2.extensions.connection, day: date, zone: ZoneInfo) -> None:
    start, end = day_bounds(day, zone)
    fill_transactions(connection, day, (start, end), ROWS_A_DAY)
    fill_batch_stats(connection, (start, end))
    with connection.cursor() as cursor:
        for step in STEPS:
            cursor.execute(Queries("recompute")[step], {"day": day, "start": start, "end": end})


def evening_zone(now: datetime) -> str:
    """A zone in which it is after ten in the evening: most minutes of today have rows then, whenever this runs."""
    hours = 22 - now.hour
    return f"Etc/GMT{-hours if hours <= 14 else 24 - hours:+d}"


def milliseconds(platform: PlatformUnderTest, database: str, query: str, runs: int = RUNS) -> float:
    """The median time to plan and run a query."""
    durations = []
    for _ in range(runs):
        with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SET ROLE lambda_reader")
            # Without a look at the clock for every row, which takes a tenth of the time.
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) SELECT * FROM {query}")
            [[[plan]]] = cursor.fetchall()
            durations.append(plan["Planning Time"] + plan["Execution Time"])
    return statistics.median(durations)
