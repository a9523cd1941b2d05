"""How long a transaction takes from its event_time to a visible row, at a steady rate."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest
from tests.support.processes import wait_until
from tests.support.program import Program

RATE = 5000
WARM_UP_SECONDS = 5
SECONDS = 20
# How often the table is looked at: what is found counts as visible then, so figures are too large by up to this.
LOOK_SECONDS = 0.005
# Rows a second that are followed, of the accounts whose ids end alike.
FOLLOWED_RATE = 500
LOOK = """
SELECT transaction_id, extract(epoch FROM event_time)::float8 FROM lambda.transactions
WHERE event_time > to_timestamp(%s) AND right(account_id, 1) = ANY(%s)
"""


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    platform.kafka.create_topic("latency", PARTITIONS)
    with platform.database() as database, platform.consumer(database, "latency", 2) as consumer:
        consumer.wait_until_ready()
        with producing(platform, database, "latency", RATE):
            time.sleep(WARM_UP_SECONDS)
            yield from percentiles(platform, database, RATE, median_at_most=None, p99_at_most=250)
        assert consumer.terminate() == 0


@contextmanager
def producing(platform: PlatformUnderTest, database: str, topic: str, rate: int) -> Iterator[Program]:
    """A producer at work."""
    settings = {
        **platform.kafka.environment(topic),
        "LAMBDA_PRODUCE_RATE": str(rate),
    }
    with Program({**platform.environment(database), **settings}, "produce") as producer:
        producer.wait_until_ready()
        yield producer
        assert producer.terminate() == 0


def percentiles(
    platform: PlatformUnderTest, database: str, rate: int, median_at_most: float | None, p99_at_most: float
) -> Iterator[Figure]:
    """The latencies of the next seconds, in milliseconds."""
    digits = max(1, min(10, 10 * FOLLOWED_RATE // rate))
    latencies = sorted(watch(platform, database, list("0123456789"[:digits])))
    assert len(latencies) > rate * digits / 10 * SECONDS / 2, "the rate was not held"
    name = f"event_time to visible row at {rate:,}/s"
    yield Figure(f"{name}, median", latencies[len(latencies) // 2] * 1000, "ms", at_most=median_at_most)
    yield Figure(f"{name}, 99th percentile", latencies[len(latencies) * 99 // 100] * 1000, "ms", at_most=p99_at_most)
    yield Figure(f"{name}, longest", latencies[-1] * 1000, "ms")


def watch(platform: PlatformUnderTest, database: str, digits: list[str]) -> list[float]:
    """Seconds from event_time until each row of the sample was seen."""
    connection = platform.postgres.connect(database)
    with connection.cursor() as cursor:
        # Without statistics yet, PostgreSQL would read the whole table each time.
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    seen: set[str] = set()
    latencies: list[float] = []
    deadline = time.monotonic() + SECONDS

    def look() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(LOOK, [time.time() - 1, digits])
            rows = cursor.fetchall()
        now = time.time()
        # Those of the first look may have been there before.
        latencies.extend(now - moment for name, moment in rows if seen and name not in seen)
        seen.update(name for name, _ in rows)
        time.sleep(LOOK_SECONDS)
        return time.monotonic() >= deadline

    wait_until(look, SECONDS * 2, "the end of the watch")
    connection.close()
    return latencies
