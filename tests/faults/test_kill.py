"""The consumer under load while processes are killed: afterwards each message is there exactly once."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.consumer_process import ConsumerProcess, is_running
from tests.support.drills import TIMEOUT_SECONDS, choose, seconds_until_all_flow
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import assert_exactly_once, java_load, load, own_load
from tests.support.postgres_server import PostgresServer
from tests.support.processes import wait_until
from tests.support.trap import trapped

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

CONSUMER_KILLS = choose(5, 100)
SERVER_KILLS = choose(2, 20)
# The design wants 5 s on a machine that has nothing else to do.
FLOW_LIMIT_SECONDS = 8
# The controller waits 4 s for a broker that died, then Kafka starts and the group is put together again.
BROKER_LIMIT_SECONDS = 20

# What a chunk goes through: the process ends before, between and after.
POINTS = [
    "stream.positions take_over after",
    "layers.store store_chunk before",
    "database.copy copy_in during",
    "layers.store store_chunk after",
    "stream.writer record_dead_letters after",
    "stream.positions advance after",
    # Committed, and not yet said.
    "stream.writer Stored before",
]


def say(what: str, seconds: list[float]) -> None:
    print(f"{what}: rows of all partitions again after {', '.join(f'{each:.1f}' for each in sorted(seconds))} s")


def test_worker_killed_at_random_moments_is_back_within_seconds(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            seconds = []
            for _ in range(CONSUMER_KILLS):
                time.sleep(rng.uniform(0, 1))
                victim = rng.choice(process.workers())
                killed_at = time.time()
                os.kill(victim, signal.SIGKILL)
                seconds.append(seconds_until_all_flow(database, killed_at, FLOW_LIMIT_SECONDS))

        say("a worker killed", seconds)
        assert_exactly_once(database, sent)
        assert process.text.count("ended with status -9: starting it again") == CONSUMER_KILLS


def test_unit_killed_at_random_moments_is_back_within_seconds(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    with load(kafka, topic) as sent:
        seconds = []
        started_at = time.time()
        for number in range(CONSUMER_KILLS):
            with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
                # Every other one is killed on its way up.
                if number % 2:
                    time.sleep(rng.uniform(0.4, 2))
                else:
                    seconds.append(seconds_until_all_flow(database, started_at, FLOW_LIMIT_SECONDS))
                    time.sleep(rng.uniform(0, 1))
                workers = process.workers()
                started_at = time.time()
                process.kill()
                # The kernel ends the workers with their supervisor.
                wait_until(lambda pids=workers: not any(map(is_running, pids)), 5, "the end of the workers")  # type: ignore[misc]

    say("the unit killed", seconds)
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        assert_exactly_once(database, sent)
        assert process.terminate() == 0


def test_worker_killed_at_each_point_of_a_chunk_loses_and_doubles_nothing(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    points = POINTS * choose(1, 15)
    rng.shuffle(points)
    # The worker after the one that was killed takes over, once.
    traps = [f"{point} SIGKILL {1 if 'take_over' in point else rng.randint(1, 20)}" for point in points]
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, command=trapped(*traps)) as process:
        with load(kafka, topic) as sent:
            for number, trap in enumerate(traps, 1):
                wait_until(lambda n=number: process.text.count("ended with status -9") >= n, what=f"the trap {trap}")  # type: ignore[misc]
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS)

        print(*traps, sep="\n")
        say("the last of these", [seconds])
        assert_exactly_once(database, sent)


def test_broker_killed_loses_and_doubles_nothing(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with java_load(kafka, topic) as sent:
            seconds = []
            for _ in range(SERVER_KILLS):
                time.sleep(rng.uniform(0, 1))
                kafka.stop(signal.SIGKILL)
                kafka.start()
                seconds.append(seconds_until_all_flow(database, time.time(), BROKER_LIMIT_SECONDS))

        say("the broker killed and started", seconds)
        assert_exactly_once(database, sent)
        assert "ended with status" not in process.text


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
def test_postgres_restarted_or_killed_loses_and_doubles_nothing(
    database: Database,
    kafka: KafkaServer,
    postgres: PostgresServer,
    topic: str,
    rng: random.Random,
    how: signal.Signals,
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with own_load(kafka, topic) as sent:
            seconds = []
            for _ in range(SERVER_KILLS):
                time.sleep(rng.uniform(0, 1))
                postgres.stop(how)
                time.sleep(rng.uniform(0, 1))
                postgres.start()
                seconds.append(seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS))

        say("PostgreSQL stopped and started", seconds)
        assert_exactly_once(database, sent)
        assert "Waiting: PostgreSQL is away" in process.text
        assert "ended with status" not in process.text


def test_backends_terminated_in_storms_lose_and_double_nothing(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            with storm(database) as terminated:
                time.sleep(choose(3, 60))
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS)

        say(f"{sum(terminated)} backends terminated", [seconds])
        assert sum(terminated) > 5
        assert_exactly_once(database, sent)
        assert "ended with status" not in process.text


def test_worker_broker_and_postgres_killed_together_lose_and_double_nothing(
    database: Database, kafka: KafkaServer, postgres: PostgresServer, topic: str, rng: random.Random
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            seconds = []
            for _ in range(choose(1, 20)):
                time.sleep(rng.uniform(0, 1))
                kills = [
                    partial(kafka.stop, signal.SIGKILL),
                    partial(postgres.stop, signal.SIGKILL),
                    partial(os.kill, rng.choice(process.workers()), signal.SIGKILL),
                ]
                for kill in rng.sample(kills, len(kills)):
                    kill()
                postgres.start()
                with storm(database):
                    kafka.start()
                seconds.append(seconds_until_all_flow(database, time.time(), BROKER_LIMIT_SECONDS))

        say("everything killed and started", seconds)
        assert_exactly_once(database, sent)


@contextmanager
def storm(database: Database) -> Iterator[list[int]]:
    """Ends all sessions of the consumer every 100 ms while the block runs; gives how many each time."""
    is_over = threading.Event()
    counts: list[int] = []

    def terminate() -> None:
        sessions = f"usename = 'lambda_stream' AND datname = '{database.name}'"
        while not is_over.wait(0.1):
            counts.append(
                len(database.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {sessions}"))
            )

    thread = threading.Thread(target=terminate, daemon=True)
    thread.start()
    try:
        yield counts
    finally:
        is_over.set()
        thread.join()
