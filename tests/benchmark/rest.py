"""What the platform costs when little happens: CPU of each component at 100 messages a second and at none."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmark.figures import Figure
from tests.benchmark.latency import percentiles, producing
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest
from tests.benchmark.processes import Sampler
from tests.support.consumer_process import ConsumerProcess
from tests.support.program import Program

RATE = 100
SECONDS = float(os.environ.get("LAMBDA_BENCH_REST_SECONDS", "60"))
# Java compiles what it has run often: at a low rate it would be at it for minutes. What is left takes this long.
WARM_UP_RATE, WARM_UP_SECONDS = 5000, 30
SETTLING_SECONDS = 40
# Percent of a core, at most.
AT_RATE = {"consumer": 3.0, "PostgreSQL": 3.0, "producer": 2.0, "Kafka": 5.0}
AT_NONE = {"consumer": 1.0, "PostgreSQL": 1.0, "Kafka": 3.0}


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    platform.kafka.create_topic("rest", PARTITIONS)
    with platform.database() as database, platform.consumer(database, "rest", 2) as consumer:
        consumer.wait_until_ready()
        with producing(platform, database, "rest", WARM_UP_RATE):
            time.sleep(WARM_UP_SECONDS)
        for name, percent in used(platform, consumer, None).items():
            yield Figure(f"{name} with no message", percent, "% of a core", at_most=AT_NONE[name])
        with producing(platform, database, "rest", RATE) as producer:
            for name, percent in used(platform, consumer, producer).items():
                yield Figure(f"{name} at {RATE} messages/s", percent, "% of a core", at_most=AT_RATE[name])
            yield from percentiles(platform, database, RATE, median_at_most=None, p99_at_most=300)
        assert consumer.terminate() == 0


def used(platform: PlatformUnderTest, consumer: ConsumerProcess, producer: Program | None) -> dict[str, float]:
    """Percent of a core that each program and all below it used."""
    time.sleep(SETTLING_SECONDS)
    pids = {"consumer": consumer.process.pid, "PostgreSQL": platform.postgres.pid, "Kafka": platform.kafka.pid}
    if producer:
        pids["producer"] = producer.process.pid
    with ExitStack() as stack:
        samplers = {name: stack.enter_context(Sampler(pid, every_seconds=1.0)) for name, pid in pids.items()}
        time.sleep(SECONDS)
    return {name: sum(sampler.used().values()) / SECONDS * 100 for name, sampler in samplers.items()}
