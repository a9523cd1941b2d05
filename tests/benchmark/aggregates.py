"""What the speed layer costs the consumer: the same drain with it and without."""

import statistics
import sys
from collections.abc import Iterator

from program import COMMAND

from tests.benchmark.drain import MESSAGES, drain_anew
from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic

RUNS = 3
TOPIC = "aggregates"
WITHOUT = [sys.executable, "-m", "tests.benchmark.without_aggregates"]


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    fill_topic(platform.kafka, TOPIC, MESSAGES)
    for workers in (2, 1):
        rates: dict[bool, list[float]] = {True: [], False: []}
        # In turns, so that both get the same of what else the machine does.
        for _ in range(RUNS):
            for is_counting, measured in rates.items():
                command = COMMAND if is_counting else WITHOUT
                measured.append(drain_anew(platform, workers, topic=TOPIC, command=command).rows_per_second)
        counting, plain = (statistics.median(rates[is_counting]) for is_counting in (True, False))
        name = f"drain, {workers} worker{'s' * (workers > 1)}"
        yield Figure(f"{name}, without aggregates", plain, "rows/s")
        yield Figure(f"{name}, in the one without aggregates", counting / plain, "", at_least=0.9)
