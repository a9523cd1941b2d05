"""PostgreSQL or Kafka is away for a while: the consumer waits, patiently, does not grow, and is back in seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.consumer_process import ConsumerProcess
from tests.support.drills import TIMEOUT_SECONDS, choose, seconds_until_all_flow
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import assert_exactly_once, java_load, own_load
from tests.support.network import counted_connections
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

OUTAGE_SECONDS = choose(8, 300)
# The next attempt comes after at most 5 s.
FLOW_LIMIT_SECONDS = 20
MEMORY_MARGIN_BYTES = 64 * 2**20


@contextmanager
def waiting_patiently(process: ConsumerProcess, port: int, attempts_limit: float) -> Iterator[None]:
    """Lets the outage last, and looks at what the consumer does meanwhile: it neither knocks wildly nor grows."""
    with counted_connections(port) as attempts:
        time.sleep(2)
        workers, memory_before = process.workers(), process.worker_memory_bytes()
        yield
        grown = process.worker_memory_bytes() - memory_before
    print(f"{OUTAGE_SECONDS} s: {attempts[0]} attempts to connect, {grown / 2**20:+.1f} MiB in {len(workers)} workers")
    assert process.workers() == workers
    assert grown < MEMORY_MARGIN_BYTES
    assert 1 < attempts[0] < attempts_limit


def test_consumer_waits_for_postgres_and_is_back_in_seconds(
    database: Database, kafka: KafkaServer, postgres: PostgresServer, topic: str
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with java_load(kafka, topic) as sent:
            postgres.stop()
            # Two workers: 0.1, 0.2, ... s between two attempts, then 2.5 to 5 s.
            with waiting_patiently(process, postgres.port, 2 * (12 + OUTAGE_SECONDS / 2.5)):
                time.sleep(OUTAGE_SECONDS - 2)
            assert any("waiting: PostgreSQL is away" in text for text in process.notifications)
            postgres.start()
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS, of_any_age=True)
            print(f"PostgreSQL back: rows of all partitions again after {seconds:.1f} s")

        assert_exactly_once(database, sent, timeout_seconds=choose(60, 600))
        assert "ended with status" not in process.text


def test_consumer_waits_for_kafka_and_is_back_in_seconds(database: Database, kafka: KafkaServer, topic: str) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with own_load(kafka, topic) as sent:
            kafka.stop()
            # Two workers and the producer, each with some connections: 50 ms, ... s between two attempts, then 2 s.
            with waiting_patiently(process, kafka.port, 3 * 3 * (12 + OUTAGE_SECONDS / 1.5)):
                time.sleep(OUTAGE_SECONDS - 2)
            kafka.start()
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS, of_any_age=True)
            print(f"Kafka back: rows of all partitions again after {seconds:.1f} s")

        assert_exactly_once(database, sent, timeout_seconds=choose(60, 600))
        assert "ended with status" not in process.text
