"""What a byte costs in short messages and in long ones: of the longest that Kafka takes, nearly all is ignored."""

import os
from collections.abc import Iterator

from tests.benchmark.drain import Drain, drain_into_empty
from tests.benchmark.figures import Figure, figure
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic

# Of each size together.
BYTES = int(os.environ.get("LAMBDA_BENCH_BYTES", "300000000"))
# Kafka's max.message.bytes is 1,048,588, and the platform leaves it so.
SIZES = (300, 10_000, 100_000, 1_000_000)
WORKERS = 2
RUNS = 3


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    drains: dict[int, list[Drain]] = {size: [] for size in SIZES}
    for size in SIZES:
        fill_topic(platform.kafka, f"bytes-{size}", BYTES // size, message_bytes=size)
    # In turns, so that each gets the same of what else the machine does.
    for _ in range(RUNS):
        for size, measured in drains.items():
            measured.append(drain_into_empty(platform, WORKERS, topic=f"bytes-{size}", messages=BYTES // size))
    for size, measured in drains.items():
        name = f"messages of {size:,} bytes"
        yield figure(f"drain, {name}", [each.rows_per_second * size / 1e6 for each in measured], "MB/s")
        for side in ("client", "postgres"):
            costs = [getattr(each, f"{side}_microseconds") / size * 1000 for each in measured]
            yield figure(f"{name}, CPU of {side}", costs, "ns/byte")
        yield figure(f"{name}, memory of a worker", [each.worker_bytes / 1e6 for each in measured], "MB", at_most=150)
