"""How long a transaction takes from its event_time to a visible row, at a steady rate."""

import time
from collections.abc import Iterator

from program import Program
from servers import wait_until

from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest

RATE = 5000
WARM_UP_SECONDS = 5
SECONDS = 20
# How often the table is looked at: what is found counts as visible then, so figures are too large by up to this.
LOOK_SECONDS = 0.005
# One account in ten.
LOOK = """
SELECT transaction_id, extract(epoch FROM event_time)::float8 FROM lambda.transactions
WHERE event_time > to_timestamp(%s) AND right(account_id, 1) = '0'
"""


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    platform.kafka.create_topic("latency", PARTITIONS)
    with platform.database() as database, platform.consumer(database, "latency", 2) as consumer:
        consumer.wait_until_ready()
        settings = {
            "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": platform.kafka.bootstrap_servers,
            "LAMBDA_KAFKA_TOPIC": "latency",
            "LAMBDA_PRODUCE_RATE": str(RATE),
        }
        with Program({**platform.environment(database), **settings}, "produce") as producer:
            producer.wait_until_ready()
            time.sleep(WARM_UP_SECONDS)
            latencies = sorted(watch(platform, database))
            assert producer.terminate() == 0
        assert consumer.terminate() == 0
    assert len(latencies) > RATE * SECONDS / 20, "the rate was not held"
    yield Figure(
        f"event_time to visible row at {RATE:,}/s, median", latencies[len(latencies) // 2] * 1000, "ms", at_most=60
    )
    yield Figure("the same, 99th percentile", latencies[len(latencies) * 99 // 100] * 1000, "ms", at_most=250)
    yield Figure("the same, longest", latencies[-1] * 1000, "ms")


def watch(platform: PlatformUnderTest, database: str) -> list[float]:
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
            cursor.execute(LOOK, [time.time() - 1])
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
