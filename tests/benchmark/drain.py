"""How fast a backlog goes into PostgreSQL, beside `psql \\copy` of the same rows."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from lambda_app.core.transaction.copy_text import COLUMNS
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest, consumed, fill_topic
from tests.benchmark.processes import Sampler, tree
from tests.support.consumer_process import ConsumerProcess
from tests.support.processes import wait_until
from tests.support.program import COMMAND

MESSAGES = int(os.environ.get("LAMBDA_BENCH_MESSAGES", "2000000"))
LIMIT_SECONDS = 300
TOPIC = "drain"


@dataclass(frozen=True)
class Drain:
    """What one drain took, from the first assignment to the last visible row."""

    rows_per_second: float
    client_microseconds: float
    postgres_microseconds: float
    worker_bytes: int
    # CPU time of the least busy worker in that of the busiest.
    balance: float


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    fill_topic(platform.kafka, TOPIC, MESSAGES)
    copied: list[float] = []
    two: list[Drain] = []
    one: list[Drain] = []
    four: list[Drain] = []
    for _ in range(PAIRS):
        with platform.database() as database:
            two.append(drain(platform, database, workers=2))
            copied.append(psql_copy(platform, database))
        one.append(drain_into_empty(platform, workers=1))
        four.append(drain_into_empty(platform, workers=4))
    yield figure("psql \\copy of the same rows", copied, "rows/s")
    for workers, drains, wanted in ((2, two, 0.75), (1, one, 0.55)):
        name = f"{workers} worker{'s' * (workers > 1)}"
        rates = [each.rows_per_second for each in drains]
        client = [each.client_microseconds for each in drains]
        postgres = [each.postgres_microseconds for each in drains]
        yield figure(f"drain, {name}", rates, "rows/s")
        yield ratio(f"drain, {name}, in psql \\copy", rates, copied, at_least=wanted)
        yield figure(f"client CPU a row, {name}", client, "us")
        yield figure(f"PostgreSQL CPU a row, {name}", postgres, "us")
        yield ratio(f"client CPU in PostgreSQL's, {name}", client, postgres, at_most=1.0)
        yield figure(f"memory of a worker, {name}", [each.worker_bytes / 1e6 for each in drains], "MB", at_most=150)
    yield figure("drain, 4 workers", [each.rows_per_second for each in four], "rows/s")
    for workers, drains in ((2, two), (4, four)):
        balances = [each.balance for each in drains]
        yield figure(f"least busy in the busiest of {workers} workers", balances, "", at_least=0.8)
    public = drain_into_empty(platform, workers=1, changes={"LAMBDA_KAFKA_API": "records"})
    yield Figure("drain, 1 worker, kafka-python's public interface", public.rows_per_second, "rows/s")
    apart = drain_into_empty(platform, workers=1, cores=(0, 1))
    yield Figure("drain, PostgreSQL on one core, 1 worker on the other", apart.rows_per_second, "rows/s")


def drain_into_empty(
    platform: PlatformUnderTest,
    workers: int,
    changes: Mapping[str, str] = MappingProxyType({}),
    cores: tuple[int, int] | None = None,
    topic: str = TOPIC,
    command: Sequence[str] = COMMAND,
    messages: int = MESSAGES,
) -> Drain:
    """A drain into an empty database."""
    with platform.database() as database:
        return drain(platform, database, workers, changes, cores, topic, command, messages=messages)


def drain(
    platform: PlatformUnderTest,
    database: str,
    workers: int,
    changes: Mapping[str, str] = MappingProxyType({}),
    cores: tuple[int, int] | None = None,
    topic: str = TOPIC,
    command: Sequence[str] = COMMAND,
    at_end: Callable[[], None] = lambda: None,
    reach: timedelta = timedelta(days=1),
    messages: int = MESSAGES,
) -> Drain:
    """Drains a topic of so many messages.

    `cores`: the one of PostgreSQL and the one of the consumer. `at_end` is called while the consumer still runs.
    What is drained has times within `reach` before now, and nothing else has.
    """
    connection = platform.postgres.connect(database)
    _hold(platform.postgres.pid, cores and cores[0])
    postgres = Sampler(platform.postgres.pid)
    try:
        with platform.consumer(database, topic, workers, changes, command) as consumer:
            _hold(consumer.process.pid, cores and cores[1])
            client = Sampler(consumer.process.pid)
            wait_until(lambda: "Reading partitions" in consumer.text, what="an assignment")
            client.restart()
            postgres.restart()
            wait_until(lambda: consumed(connection) >= messages, LIMIT_SECONDS, "the drain")
            elapsed = time.time() - _assigned_at(consumer)
            client.stop()
            postgres.stop()
            used = client.used()
            workers_used = [used[pid] for pid in consumer.workers()]
            worker_bytes = max(client.peak_bytes[pid] for pid in consumer.workers())
            at_end()
            assert consumer.terminate() == 0
        _audit(connection, messages, reach)
        return Drain(
            messages / elapsed,
            sum(used.values()) / messages * 1e6,
            sum(postgres.used(without=connection.info.backend_pid).values()) / messages * 1e6,
            worker_bytes,
            min(workers_used) / max(workers_used),
        )
    finally:
        _hold(platform.postgres.pid, None)
        connection.close()


def psql_copy(platform: PlatformUnderTest, database: str) -> float:
    """Rows a second of one `\\copy` of all rows into the emptied table, in the order in which they were stored."""
    columns = ", ".join(COLUMNS)
    path = platform.postgres.directory / "rows.txt"
    psql = ["psql", "-qX", "-h", str(platform.postgres.directory), "-p", str(platform.postgres.port), "-U", "postgres"]
    _run([*psql, "-d", database, "-c", f"\\copy (SELECT {columns} FROM lambda.transactions) TO '{path}'"])
    _run([*psql, "-d", database, "-c", "TRUNCATE lambda.transactions", "-c", "CHECKPOINT"])
    started = time.monotonic()
    _run([*psql, "-d", database, "-c", f"\\copy lambda.transactions ({columns}) FROM '{path}'"])
    elapsed = time.monotonic() - started
    Path(path).unlink()
    return MESSAGES / elapsed


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def _hold(pid: int, core: int | None) -> None:
    """Lets a process and all below it use one core, or all."""
    for each in tree(pid):
        os.sched_setaffinity(each, range(os.cpu_count() or 1) if core is None else [core])


def _assigned_at(consumer: ConsumerProcess) -> float:
    """When the first partitions were assigned, by the consumer's own log."""
    line = next(line for line in consumer.text.splitlines() if "Reading partitions" in line)
    date, clock = line.split()[:2]
    return datetime.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007 - local, as logged


def _audit(connection: object, messages: int, reach: timedelta) -> None:
    with connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(
            "SELECT count(*), count(DISTINCT transaction_id) FROM lambda.transactions WHERE event_time > now() - %s",
            (reach,),
        )
        assert cursor.fetchone() == (messages, messages)
