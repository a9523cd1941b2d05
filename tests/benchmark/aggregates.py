"""What the speed layer costs the consumer: the same drain with it and without."""

import sys
from collections.abc import Iterator

from tests.benchmark.drain import MESSAGES, drain_into_empty
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic
from tests.support.program import COMMAND

TOPIC = "aggregates"
WITHOUT = [sys.executable, "-m", "tests.benchmark.without_aggregates"]


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    fill_topic(platform.kafka, TOPIC, MESSAGES)
    for workers in (2, 1):
        rates: dict[bool, list[float]] = {True: [], False: []}
        # In turns, so that both get the same of what else the machine does.
        for _ in range(PAIRS):
            for is_counting, measured in rates.items():
                command = COMMAND if is_counting else WITHOUT
                measured.append(drain_into_empty(platform, workers, topic=TOPIC, command=command).rows_per_second)
        name = f"drain, {workers} worker{'s' * (workers > 1)}"
        yield figure(f"{name}, without aggregates", rates[False], "rows/s")
        yield ratio(f"{name}, in the one without aggregates", rates[True], rates[False], at_least=0.9)
