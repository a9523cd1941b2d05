"""Whether a backlog goes into a database with history as quickly as into an empty one."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from lambda_app.core.transaction.days import day_bounds
from tests.benchmark.drain import MESSAGES, drain, drain_into_empty
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic
from tests.benchmark.synthetic import fill_transactions

ROWS = int(os.environ.get("LAMBDA_BENCH_HISTORY", "20000000"))
DAYS = 50
# The newest day of history: what is drained is of the last hour, which may be yesterday's.
NEWEST_DAYS_AGO = 2
TOPIC = "history"
WORKERS = 2


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    fill_topic(platform.kafka, TOPIC, MESSAGES)
    into_empty: list[float] = []
    into_full: list[float] = []
    with platform.database() as full:
        fill(platform, full)
        # In turns, so that both get the same of what else the machine does.
        for _ in range(PAIRS):
            into_empty.append(drain_into_empty(platform, WORKERS, topic=TOPIC).rows_per_second)
            into_full.append(drain(platform, full, WORKERS, topic=TOPIC).rows_per_second)
            forget_drain(platform, full)
    yield figure("drain, 2 workers, into an empty database", into_empty, "rows/s")
    yield figure(f"the same, with {ROWS:,} rows in {DAYS} days", into_full, "rows/s")
    yield ratio("with history, in the empty one's", into_full, into_empty, at_least=0.9)


def fill(platform: PlatformUnderTest, database: str) -> None:
    newest = datetime.now(UTC).date() - timedelta(days=NEWEST_DAYS_AGO)
    with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
        for number in range(DAYS - 1, -1, -1):
            day = newest - timedelta(days=number)
            fill_transactions(connection, day, day_bounds(day, UTC), ROWS // DAYS)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def forget_drain(platform: PlatformUnderTest, database: str) -> None:
    """Leaves the history alone, as it was before a drain."""
    newest = datetime.now(UTC).date() - timedelta(days=NEWEST_DAYS_AGO)
    with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
        for number in range(1, NEWEST_DAYS_AGO + 2):
            cursor.execute(f"DROP TABLE IF EXISTS lambda.transactions_{newest + timedelta(days=number):%Y%m%d}")
        cursor.execute("TRUNCATE lambda.speed_stats, lambda.stream_offsets, lambda.stream_gaps")
        cursor.execute("CHECKPOINT")
