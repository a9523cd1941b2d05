"""Whether a program takes more memory the more it has to do: its most, with a small input and with a large one."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from lambda_app.core.transaction.days import day_bounds
from tests.benchmark.csv_load import load, write
from tests.benchmark.drain import drain_into_empty
from tests.benchmark.figures import Figure
from tests.benchmark.platform_under_test import PARTITIONS, PlatformUnderTest, fill_topic
from tests.benchmark.processes import Sampler
from tests.benchmark.synthetic import fill_transactions
from tests.support.program import Program

MESSAGES = (200_000, int(os.environ.get("LAMBDA_BENCH_MESSAGES", "2000000")))
FILE_MEGABYTES = (20, int(os.environ.get("LAMBDA_BENCH_FILE_MB", "400")))
RECORDS = (100_000, 1_000_000)
STORED = (1_000_000, int(os.environ.get("LAMBDA_BENCH_STORED", "10000000")))
LETTERS = (10_000, 200_000)
CSV_BYTES_A_ROW = 220
LIMIT_SECONDS = 1800
# How much more the large input may take.
GROWTH = 1.3
DEAD_LETTERS = """
INSERT INTO lambda.dead_letters (topic, partition, "offset", raw, reason)
SELECT 'memory', 0, number, convert_to(format(
    '{{"transaction_id":"TXN-%s","account_id":"ACC1","transaction_type":"purchase","amount":1.5,"event_time":"%s"}}',
    number, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
), 'UTF8'), 'it was not valid then'
FROM generate_series(1, {count}) AS number
"""


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    yield from _compared("a worker", "messages", MESSAGES, [_worker(platform, count) for count in MESSAGES])
    yield from _compared("the batch", "MB", FILE_MEGABYTES, [_batch(platform, size) for size in FILE_MEGABYTES])
    yield from _compared("the producer", "records", RECORDS, [_producer(platform, count) for count in RECORDS])
    of_rows = [_of_rows(platform, rows) for rows in STORED]
    for name in of_rows[0]:
        yield from _compared(name, "rows", STORED, [peaks[name] for peaks in of_rows])
    yield from _compared("dead-letters retry", "letters", LETTERS, [_retry(platform, count) for count in LETTERS])


def _compared(name: str, unit: str, sizes: tuple[int, int], peaks: list[int]) -> Iterator[Figure]:
    for size, peak in zip(sizes, peaks, strict=True):
        yield Figure(f"memory of {name}, {size:,} {unit}", peak / 1e6, "MB")
    yield Figure("the large in the small", peaks[1] / peaks[0], "", at_most=GROWTH)


def _worker(platform: PlatformUnderTest, messages: int) -> int:
    topic = f"memory-{messages}"
    fill_topic(platform.kafka, topic, messages)
    return drain_into_empty(platform, 2, topic=topic, messages=messages).worker_bytes


def _batch(platform: PlatformUnderTest, megabytes: int) -> int:
    with tempfile.TemporaryDirectory(prefix="lambda-csv-") as name:
        Path(name).chmod(0o755)
        path = Path(name, "rows.csv")
        write(path, megabytes * 1_000_000 // CSV_BYTES_A_ROW, 1_000_000)
        return load(platform, path)[1]


def _producer(platform: PlatformUnderTest, records: int) -> int:
    topic = f"memory-producer-{records}"
    platform.kafka.create_topic(topic, PARTITIONS)
    options = {"LAMBDA_PRODUCE_RATE": "0", "LAMBDA_PRODUCE_COUNT": str(records)}
    return _peak({"PATH": "/usr/bin:/bin", **_kafka(platform, topic), **options}, "produce")


def _of_rows(platform: PlatformUnderTest, rows: int) -> dict[str, int]:
    """Of what looks at rows that are stored, all of them in one day that is over."""
    topic = f"memory-rows-{rows}"
    platform.kafka.create_topic(topic, PARTITIONS)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with platform.database() as database:
        with closing(platform.postgres.connect(database)) as connection, connection.cursor() as cursor:
            fill_transactions(connection, yesterday, day_bounds(yesterday, UTC), rows)
            cursor.execute("VACUUM ANALYZE")
        environment = {**platform.environment(database), **_kafka(platform, topic)}
        return {
            "db maintain": _peak(environment, "db", "maintain"),
            "recompute": _peak(environment, "recompute", "--day", str(yesterday)),
            # Neither a topic nor systemd tells them about these rows.
            "verify": _peak(environment, "verify", statuses=(0, 1)),
            "status": _peak(environment, "status", statuses=(0, 1)),
        }


def _retry(platform: PlatformUnderTest, letters: int) -> int:
    with platform.database() as database:
        platform.postgres.execute(DEAD_LETTERS.format(count=letters), database)
        peak = _peak(platform.environment(database), "dead-letters", "retry", "--all-open")
        [(stored,)] = platform.postgres.execute("SELECT count(*) FROM lambda.transactions", database)
        assert stored == letters
        return peak


def _kafka(platform: PlatformUnderTest, topic: str) -> Mapping[str, str]:
    return MappingProxyType(platform.kafka.environment(topic))


def _peak(environment: Mapping[str, str], *arguments: str, statuses: tuple[int, ...] = (0,)) -> int:
    """The most memory that a subcommand holds until its end."""
    with Program(environment, *arguments) as program:
        sampler = Sampler(program.process.pid, every_seconds=0.01)
        assert program.process.wait(LIMIT_SECONDS) in statuses, program.text
        sampler.stop()
    return max(sampler.peak_bytes.values())
