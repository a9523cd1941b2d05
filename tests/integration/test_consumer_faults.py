"""The consumer under load while things are killed: afterwards each message is there exactly once."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Database
from consumer_process import ConsumerProcess, is_running
from kafka import KafkaProducer
from messages import message
from servers import KafkaServer, PostgresServer, wait_until

RATE = 2000
BAD_ONE_IN = 97


@pytest.fixture
def rng() -> random.Random:
    """Chance that can be repeated: LAMBDA_TEST_SEED=N."""
    seed = int(os.environ.get("LAMBDA_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"LAMBDA_TEST_SEED={seed}")
    return random.Random(seed)


class Load(threading.Thread):
    """Sends valid and some bad messages at a steady rate until stopped; counts what Kafka acknowledged."""

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        super().__init__(daemon=True)
        self._topic = topic
        self._producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
        )
        self._ended = threading.Event()
        self.valid = 0
        self.bad = 0

    def run(self) -> None:
        started, sent, futures = time.monotonic(), 0, []
        while not self._ended.is_set():
            due = int((time.monotonic() - started) * RATE)
            for number in range(sent, due):
                is_bad = number % BAD_ONE_IN == 0
                value = b"bad %d" % number if is_bad else message()
                futures.append((is_bad, self._producer.send(self._topic, value, partition=number % 4)))
            sent = due
            time.sleep(0.01)
        for is_bad, future in futures:
            future.get(60)
            self.bad += is_bad
            self.valid += not is_bad
        self._producer.close()

    def stop(self) -> None:
        self._ended.set()
        self.join(90)
        assert not self.is_alive()


@contextmanager
def load(kafka: KafkaServer, topic: str) -> Iterator[Load]:
    thread = Load(kafka, topic)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


def assert_exactly_once(database: Database, sent: Load, timeout_seconds: float = 60) -> None:
    """Waits until everything is consumed, then counts."""
    total = sent.valid + sent.bad
    assert total > RATE

    wait_until(
        lambda: (database.value("SELECT sum(next_offset) FROM lambda.stream_offsets") or 0) >= total,  # type: ignore[operator]
        timeout_seconds,
        f"{total} messages consumed",
    )

    assert database.count("transactions") == sent.valid
    assert database.value("SELECT count(DISTINCT transaction_id) FROM lambda.transactions") == sent.valid
    assert database.count("dead_letters") == sent.bad
    assert database.query("SELECT * FROM lambda.stream_gaps") == []
    sums = "sum(next_offset), sum(stored_count), sum(duplicate_count), sum(dead_letter_count), sum(gap_count)"
    row = database.query(f"SELECT {sums} FROM lambda.stream_offsets")[0]
    assert tuple(map(int, map(str, row))) == (total, sent.valid, 0, sent.bad, 0)


def test_consumer_that_is_killed_at_random_moments_loses_and_doubles_nothing(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    with load(kafka, topic) as sent:
        for _ in range(5):
            with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
                process.wait_until_ready()
                workers = process.workers()
                time.sleep(rng.uniform(0.0, 1.5))
                process.kill()
                # The kernel ends the workers with their supervisor.
                wait_until(lambda pids=workers: not any(map(is_running, pids)), 5, "the end of the workers")  # type: ignore[misc]

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        assert_exactly_once(database, sent)
        assert process.terminate() == 0


def test_worker_that_is_killed_comes_back_and_loses_and_doubles_nothing(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            for _ in range(4):
                time.sleep(rng.uniform(0.2, 1.0))
                victim = rng.choice(process.workers())
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda pid=victim: not is_running(pid) and len(process.workers()) == 2, 20, "a new worker")  # type: ignore[misc]

        assert_exactly_once(database, sent)
        assert "ended with status -9: starting it again" in process.text


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "crashed"])
def test_postgres_that_goes_away_is_waited_for(
    database: Database, kafka: KafkaServer, postgres: PostgresServer, topic: str, how: signal.Signals
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            for _ in range(2):
                time.sleep(1)
                postgres.stop(how)
                time.sleep(1)
                postgres.start()

        assert_exactly_once(database, sent)
        assert "Waiting: PostgreSQL is away" in process.text
        assert len(process.workers()) == 2
        assert "ended with status" not in process.text


def test_kafka_that_goes_away_is_waited_for(database: Database, kafka: KafkaServer, topic: str) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            time.sleep(1)
            kafka.stop(signal.SIGKILL)
            time.sleep(1)
            kafka.start()
            time.sleep(1)

        assert_exactly_once(database, sent)
        assert "ended with status" not in process.text


def test_two_groups_that_fight_over_the_same_offsets_double_nothing(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    # Each believes that it owns all partitions, as a consumer does that slept through the loss of its own.
    other_group = {"LAMBDA_KAFKA_GROUP": f"another-group-of-{topic}"}
    with (
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as first,
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=other_group) as second,
    ):
        first.wait_until_ready()
        second.wait_until_ready()
        with load(kafka, topic) as sent:
            time.sleep(3)

        assert_exactly_once(database, sent)
        assert "moved elsewhere: reading again" in first.text + second.text
