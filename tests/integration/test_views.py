"""The views that people open first: each equals a recount in plain Python, whatever was stored and recomputed when."""

import random
import re
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.days import day_bounds
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, READER, connect
from tests.support.fixtures import Database
from tests.support.recount import recount, served
from tests.support.sql import fetch_all
from tests.support.stored_rows import random_row, recompute_all, store

VIEWS = (
    "stats_today_by_minute",
    "stats_by_day_and_category",
    "top_accounts_by_day",
    "high_risk_last_hour",
    "ingest_freshness",
    "transaction_stats",
)
SECOND = timedelta(seconds=1)


def set_zone(database: Database, name: str) -> ZoneInfo:
    database.query(f"ALTER DATABASE {database.name} SET timezone = '{name}'")
    return ZoneInfo(name)


def store_at(rng: random.Random, times: Iterable[datetime], shard: int = 1) -> None:
    """Stores a row for each time; the ids are new ones."""
    rows = [random_row(rng, rng.getrandbits(60), time.astimezone(UTC)) for time in times]
    store(Rows.of([encode_row(row, "STREAM") for row in rows]), shard)


def times_within(rng: random.Random, start: datetime, end: datetime, count: int = 300) -> list[datetime]:
    """The first and the last moment, those beside them, and `count` in between."""
    seconds = int((end - start).total_seconds())
    edges = [start - SECOND, start, end - SECOND, end]
    return [*edges, *(start + timedelta(seconds=rng.randrange(seconds)) for _ in range(count))]


def assert_views_are_exact(database: Database, zone: ZoneInfo) -> None:
    truth = recount(database)
    today = datetime.now(zone).date()
    minutes: dict[datetime, list[Decimal]] = {}
    days: dict[tuple[date, str], list[Decimal]] = {}
    for (minute, category, _), (count, amount_sum, _, _, _, high_risk_count) in truth.items():
        day = minute.astimezone(zone).date()
        groups = [days.setdefault((day, category), [Decimal(0)] * 3)]
        if day == today:
            groups.append(minutes.setdefault(minute, [Decimal(0)] * 3))
        for group in groups:
            group[:] = [group[0] + count, group[1] + amount_sum, group[2] + high_risk_count]

    by_minute = database.query("SELECT minute, count, amount_sum, high_risk_count FROM lambda.stats_today_by_minute")
    by_day = database.query(
        "SELECT day, merchant_category, count, amount_sum, high_risk_count FROM lambda.stats_by_day_and_category"
    )
    assert [(row[0], list(row[1:])) for row in by_minute] == sorted(minutes.items(), reverse=True)
    assert {row[:2]: list(row[2:]) for row in by_day} == days
    assert len(by_day) == len(days)
    assert [row[0] for row in by_day] == sorted((day for day, _ in days), reverse=True)
    assert served(database) == truth


# At any time it is another day in the first and in the last one than in UTC, or will be within hours.
@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "Asia/Kathmandu", "UTC", "Etc/GMT+12"])
def test_stats_are_those_of_the_days_of_the_zone_through_late_events_and_recomputes(
    database: Database, rng: random.Random, name: str
) -> None:
    zone = set_zone(database, name)
    today = datetime.now(zone).date()
    yesterday = today - timedelta(days=1)
    days = [day_bounds(yesterday, zone), day_bounds(today, zone)]
    for shard, (start, end) in enumerate(days, start=1):
        store_at(rng, times_within(rng, start, end), shard)
    assert_views_are_exact(database, zone)

    recompute_all(yesterday)
    assert_views_are_exact(database, zone)
    recompute_all(today)
    assert_views_are_exact(database, zone)
    for start, end in days:
        store_at(rng, times_within(rng, start, end, count=50))
    assert_views_are_exact(database, zone)
    recompute_all(today)

    assert_views_are_exact(database, zone)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        # Midnight comes twice.
        ("America/Havana", date(2025, 11, 2)),
        # There is no midnight.
        ("Africa/Cairo", date(2025, 4, 25)),
        # Clocks go back at midnight: the last hour comes twice.
        ("America/Asuncion", date(2024, 3, 23)),
        # There is no such day.
        ("Pacific/Apia", date(2011, 12, 30)),
    ],
)
def test_stats_are_those_of_the_day_on_which_the_clocks_change(
    database: Database, rng: random.Random, name: str, day: date
) -> None:
    zone = set_zone(database, name)
    start, end = day_bounds(day, zone)
    quarter = timedelta(minutes=15)
    store_at(rng, [start + quarter * number for number in range(-12, (end - start) // quarter + 12)])
    assert_views_are_exact(database, zone)

    recompute_all(day)

    assert_views_are_exact(database, zone)


@pytest.mark.parametrize("name", ["America/Havana", "Africa/Cairo", "America/Asuncion", "Pacific/Apia", "UTC"])
def test_day_starts_where_the_programs_cut_it(database: Database, name: str) -> None:
    zone = set_zone(database, name)

    starts = database.query(
        "SELECT day::date, lambda.day_start(day::date)"
        " FROM generate_series('2009-01-01'::date, '2026-12-31', '1 day') AS day"
    )

    assert [start for _, start in starts] == [day_bounds(day, zone)[0] for day, _ in starts]  # type: ignore[arg-type]


def test_top_accounts_are_those_at_the_last_recompute(database: Database, rng: random.Random) -> None:
    noon = datetime(2026, 6, 15, 12, tzinfo=UTC)
    store_at(rng, [noon] * 2000)
    recompute_all(noon.date())
    sums: dict[str, list[Decimal]] = {}
    for account_id, amount in database.query("SELECT account_id, amount FROM lambda.transactions"):
        sums.setdefault(str(account_id), []).append(Decimal(str(amount)))
    recomputed_at = database.value("SELECT recomputed_at FROM lambda.batch_days")

    store_at(rng, [noon] * 500)

    by_sum = sorted(((-sum(amounts), account, len(amounts)) for account, amounts in sums.items()))[:100]
    assert database.query("SELECT * FROM lambda.top_accounts_by_day") == [
        (noon.date(), rank, account, count, -total, recomputed_at)
        for rank, (total, account, count) in enumerate(by_sum, start=1)
    ]


def test_high_risks_of_the_last_hour_come_newest_first(database: Database, rng: random.Random) -> None:
    now = datetime.now(UTC)
    # There it is the first hour of a day.
    set_zone(database, f"Etc/GMT{now.hour:+d}" if now.hour <= 12 else f"Etc/GMT{now.hour - 24:+d}")
    rows = [
        msgspec.structs.replace(random_row(rng, number, now - timedelta(minutes=minutes)), risk_score=score)
        for number, (minutes, score) in enumerate(
            [
                (58, Decimal("0.80")),
                (1, Decimal("99.99")),
                (20, Decimal("0.79")),
                (20, None),
                (30, Decimal("0.95")),
                (62, Decimal("0.95")),
                # Dated ahead.
                (-10, Decimal("0.95")),
            ]
        )
    ]
    store(Rows.of([encode_row(row, "STREAM") for row in rows]))

    found = database.query("SELECT transaction_id, event_time, risk_score, amount FROM lambda.high_risk_last_hour")

    def columns(row: Transaction) -> tuple[object, ...]:
        return (row.transaction_id, row.event_time, row.risk_score, row.amount)

    assert found == [columns(rows[number]) for number in (1, 4, 0)]


def test_freshness_tells_a_partition_that_flows_from_one_that_stands(database: Database) -> None:
    for partition, seconds in [(0, 90), (1, 0)]:
        database.query(
            "INSERT INTO lambda.stream_offsets"
            " (topic, partition, next_offset, stored_count, last_timestamp, updated_at)"
            f" VALUES ('transactions', {partition}, 7, 5, '2026-06-15 12:00Z', now() - interval '{seconds} s')"
        )

    rows = database.query(
        "SELECT partition, next_offset, stored_count, newest_record_at, age_seconds FROM lambda.ingest_freshness"
    )

    assert [row[:4] for row in rows] == [(n, 7, 5, datetime(2026, 6, 15, 12, tzinfo=UTC)) for n in (0, 1)]
    assert [float(str(row[4])) // 60 for row in rows] == [1, 0]


@pytest.mark.parametrize("view", VIEWS)
def test_view_says_what_it_is_and_answers_people_and_the_batch(database: Database, view: str) -> None:
    assert database.value(f"SELECT obj_description('lambda.{view}'::regclass)")
    for role in (READER, BATCH):
        with closing(connect(role)) as connection:
            assert fetch_all(connection, f"SELECT * FROM {view}") == []


@pytest.mark.parametrize("query", [*VIEWS, "stats_by_day_and_category WHERE day = lambda.today()"])
def test_view_asks_for_the_time_zone_a_few_times_not_for_every_row(
    database: Database, rng: random.Random, query: str
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=30)
    store_at(rng, [start + n * SECOND for n in range(1000)])

    calls = database.query(
        "SET LOCAL track_functions = 'all'; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;"
        f"SELECT count(*) FROM lambda.{query};"
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname = 'time_zone'"
    )

    assert calls[0][0] in range(9)


@pytest.mark.parametrize(
    "condition",
    [
        "minute = '2026-06-15 12:00Z'",
        "minute >= now() - interval '1 hour'",
        "minute >= lambda.day_start(lambda.today())",
        "minute BETWEEN '2026-06-15 12:00Z' AND '2026-06-15 13:00Z' AND merchant_category = 'gas'",
    ],
)
def test_condition_on_the_minute_reaches_the_index_of_both_layers(database: Database, condition: str) -> None:
    plan = database.query(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
        f"EXPLAIN SELECT * FROM lambda.transaction_stats WHERE {condition}"
    )

    text = "\n".join(str(line) for (line,) in plan)
    for layer in ("batch_stats", "speed_stats"):
        assert re.search(rf"Index Scan using {layer}_key on {layer} .*\n *Index Cond: \(+minute", text), text
    # Of the layers only what is not counted is filtered out, and from that what the condition says beyond the minute.
    filtered = re.findall(r"(\S.*)\n *Filter: (.*)", text)
    assert all("count_transactions" in node or condition.startswith("((NOT $") for node, condition in filtered), text
    assert re.search(r"uncounted_minutes_minute_idx on uncounted_minutes  \(.*\n *Index Cond: \(+minute", text), text


def test_view_of_high_risks_is_planned_without_looking_at_every_partition(database: Database) -> None:
    database.query("SELECT lambda.ensure_partition(lambda.today() - n) FROM generate_series(0, 30) AS n")

    plan = database.query("EXPLAIN SELECT * FROM lambda.high_risk_last_hour")

    assert "transactions_2" not in str(plan)
