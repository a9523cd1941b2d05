"""Whether a backlog is read as quickly from one partition as from a hundred."""

from collections.abc import Iterator

from tests.benchmark.drain import MESSAGES, drain_into_empty
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest, fill_topic

COUNTS = (1, PARTITIONS, 100)


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    for count in COUNTS:
        fill_topic(platform.kafka, f"partitions-{count}", MESSAGES, count)
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    # In turns, so that each gets the same of what else the machine does. One worker: a partition is read by one.
    for _ in range(PAIRS):
        for count, measured in rates.items():
            measured.append(drain_into_empty(platform, 1, topic=f"partitions-{count}").rows_per_second)
    for count, measured in rates.items():
        yield figure(f"drain, 1 worker, partitions: {count}", measured, "rows/s")
    for count in (1, 100):
        yield ratio(f"partitions: {count}, in those of {PARTITIONS}", rates[count], rates[PARTITIONS], at_least=0.9)
