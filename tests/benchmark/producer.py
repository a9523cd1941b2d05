"""How fast the producer fills the topic, by codec."""

import os
import time
from collections.abc import Iterator

from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest, log_directory
from tests.benchmark.processes import Sampler
from tests.support.processes import wait_until
from tests.support.program import Program

RECORDS = int(os.environ.get("LAMBDA_BENCH_RECORDS", "1000000"))
CODECS = ("none", "lz4", "zstd", "snappy", "gzip")


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    for codec in CODECS:
        topic = f"producer-{codec}"
        platform.kafka.create_topic(topic, PARTITIONS)
        settings = {
            **platform.kafka.environment(topic),
            "LAMBDA_PRODUCE_RATE": "0",
            "LAMBDA_PRODUCE_COUNT": str(RECORDS),
            "LAMBDA_PRODUCE_COMPRESSION": codec,
        }
        with Program({"PATH": "/usr/bin:/bin", **settings}, "produce") as program:
            program.wait_until_ready()
            started = time.monotonic()
            sampler = Sampler(program.process.pid)
            wait_until(lambda running=program: running.process.poll() is not None, 300, "the end")  # type: ignore[misc]
            elapsed = time.monotonic() - started
            sampler.stop()
            assert program.process.returncode == 0, program.text
        size = sum(path.stat().st_size for path in log_directory(platform.kafka).glob(f"{topic}-*/*.log"))
        target = 90_000 if codec == "none" else None
        yield Figure(f"producer, {codec}", RECORDS / elapsed, "records/s", at_least=target)
        yield Figure(f"producer, {codec}, CPU a record", sum(sampler.used().values()) / RECORDS * 1e6, "us")
        yield Figure(f"producer, {codec}, in the log", size / RECORDS, "bytes")
