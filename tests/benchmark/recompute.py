"""How long a recompute of a day takes, beside one query that aggregates the day."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date

import pytest

from lambda_app.core.transaction.days import day_bounds
from lambda_app.database.queries import Queries
from lambda_app.host.clock import SystemClock
from lambda_app.layers.recompute import recompute_days
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest
from tests.benchmark.synthetic import fill_speed_stats, fill_transactions

ROWS = int(os.environ.get("LAMBDA_BENCH_ROWS", "5000000"))
DAY = date(2026, 6, 15)
PERIOD = day_bounds(DAY, UTC)


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    queried: list[float] = []
    recomputed: list[float] = []
    with platform.database() as database, pytest.MonkeyPatch.context() as patch:
        for name, value in platform.environment(database).items():
            patch.setenv(name, value)
        connection = platform.postgres.connect(database)
        fill_transactions(connection, DAY, PERIOD, ROWS)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")

            def aggregate() -> None:
                query = Queries("recompute")["insert_batch_stats"]
                cursor.execute(query[query.index("SELECT") :], dict(zip(("start", "end"), PERIOD, strict=True)))
                assert sum(row[3] for row in cursor.fetchall()) == ROWS

            def recompute() -> None:
                assert [each.count for each in recompute_days([DAY], SystemClock())] == [ROWS]

            # In turns, so that both get the same of what else the machine does; the first of each warms up.
            for _ in range(1 + PAIRS):
                queried.append(timed(aggregate))
                fill_speed_stats(connection, PERIOD, shards=2)
                recomputed.append(timed(recompute))
        connection.close()
    recomputed, queried = recomputed[1:], queried[1:]
    yield figure(f"recompute of a day of {ROWS:,} rows", recomputed, "s")
    yield figure("one aggregate query of the same day", queried, "s")
    yield ratio("recompute in such queries", recomputed, queried, at_most=2)


def timed(run: Callable[[], None]) -> float:
    """The seconds that it takes."""
    started = time.monotonic()
    run()
    return time.monotonic() - started
