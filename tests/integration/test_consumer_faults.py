"""The consumer under load while things are killed: afterwards each message is there exactly once."""

import os
import random
import signal
import time

import pytest
from conftest import Database
from consumer_process import ConsumerProcess, is_running
from load import assert_exactly_once, load
from servers import KafkaServer, PostgresServer, wait_until


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
