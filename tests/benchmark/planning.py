"""Which queries take longer to plan, or lock more partitions, the more days there are."""

import re
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources

import psycopg2

from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.queries import Queries
from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PlatformUnderTest
from tests.benchmark.serving import VIEWS
from tests.benchmark.synthetic import fill_transactions

FEW_DAYS, MANY_DAYS = 1, 400
ROWS_A_DAY = 100
RUNS = 3
# A day, its neighbours, and what is made ahead of time.
MOST_PARTITIONS = 4
# These look at every day by their purpose.
OF_ALL_DAYS = {"verify.rows", "verify.lock_transactions"}
OF_PARTITIONS = re.compile(r"\blambda\.(transactions|ensure_partition)\b")
PLANNED = ("SELECT", "WITH", "INSERT", "DELETE")
LOCKED = """
SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND c.relname ~ '^transactions_[0-9]{8}$'
"""


@dataclass(frozen=True)
class Planned:
    milliseconds: float
    # Day partitions that it held locked at its end.
    partitions: int


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    few, many = planned(platform, FEW_DAYS), planned(platform, MANY_DAYS)
    for name, of_many in many.items():
        yield Figure(f"{name}, planning with {FEW_DAYS} day", few[name].milliseconds, "ms")
        yield Figure(f"{name}, planning with {MANY_DAYS} days", of_many.milliseconds, "ms")
        most = None if name in OF_ALL_DAYS else MOST_PARTITIONS
        yield Figure(f"{name}, partitions locked of {MANY_DAYS}", of_many.partitions, "", at_most=most)


def planned(platform: PlatformUnderTest, days: int) -> dict[str, Planned]:
    today = datetime.now(UTC).date()
    with platform.database() as database:
        with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
            for number in range(days):
                day = today - timedelta(days=number)
                fill_transactions(connection, day, day_bounds(day, UTC), ROWS_A_DAY)
            cursor.execute("VACUUM ANALYZE")
        return {name: median_plan(platform, database, query) for name, query in statements().items()}


def statements() -> dict[str, str]:
    """The views, and each of the programs' queries that has to do with transactions and names no partition."""
    found = {view: f"SELECT * FROM lambda.{view}" for view in VIEWS}
    for file in resources.files("lambda_app").joinpath("sql/queries").iterdir():
        noun = file.name.removesuffix(".sql")
        for name, query in Queries(noun).texts.items():
            statement = re.sub(r"^--.*\n", "", query, flags=re.MULTILINE)
            if (
                OF_PARTITIONS.search(statement)
                and statement.startswith((*PLANNED, "LOCK"))
                and "%(partition)s" not in statement
            ):
                found[f"{noun}.{name}"] = statement
    return found


def median_plan(platform: PlatformUnderTest, database: str, query: str) -> Planned:
    plans = [plan(platform, database, query) for _ in range(RUNS)]
    return Planned(statistics.median(each.milliseconds for each in plans), plans[-1].partitions)


def plan(platform: PlatformUnderTest, database: str, query: str) -> Planned:
    """Runs it in a new connection, as most of the programs do, and takes it back."""
    with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(Queries("storage")["create_chunk_table"])
        milliseconds = 0.0
        if query.startswith(PLANNED):
            cursor.execute(f"EXPLAIN (ANALYZE, SUMMARY, FORMAT JSON) {query}", values())
            [([explained],)] = cursor.fetchall()
            milliseconds = explained["Planning Time"]
        else:
            cursor.execute(query)
        cursor.execute(LOCKED)
        return Planned(milliseconds, _first(cursor))


def values() -> dict[str, object]:
    """What the programs give their queries: of yesterday."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    start, end = day_bounds(yesterday, UTC)
    return {
        "day": yesterday,
        "start": start,
        "end": end,
        # Of a chunk.
        "first": start,
        "last": end - timedelta(microseconds=1),
        "lines": "{1}",
        "days_before": 7,
        "since": start,
    }


def _first(cursor: psycopg2.extensions.cursor) -> int:
    [(value,)] = cursor.fetchall()
    return int(value)
