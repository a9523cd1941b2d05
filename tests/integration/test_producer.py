"""The producer against a real broker: every record is acknowledged, at the rate, through stops and outages."""

import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, TopicPartition

from lambda_app.core.transaction.message import parse_message
from tests.support.kafka_server import KafkaServer
from tests.support.processes import wait_until
from tests.support.program import Program, run_program


@pytest.fixture
def environment(kafka: KafkaServer, topic: str) -> dict[str, str]:
    return {
        **os.environ,
        **kafka.environment(topic),
    }


def read_topic(kafka: KafkaServer, topic: str) -> list:
    """Every record of the topic."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    try:
        partitions = [TopicPartition(topic, number) for number in range(4)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        records: list = []
        while len(records) < sum(ends.values()):
            for batch in consumer.poll(timeout_ms=1000).values():
                records += batch
        return records
    finally:
        consumer.close()


def count_in_kafka(kafka: KafkaServer, topic: str) -> int:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    try:
        return sum(consumer.end_offsets([TopicPartition(topic, number) for number in range(4)]).values())
    finally:
        consumer.close()


def ids(records: list) -> set[str]:
    return {json.loads(record.value)["transaction_id"] for record in records}


def summary(text: str) -> tuple[int, int, int]:
    """The numbers sent, acknowledged and failed in what the producer says at its end."""
    return tuple(map(int, re.search(r"sent (\d+), acknowledged (\d+), failed (\d+)", text).groups()))


def test_producer_sends_exactly_count_valid_keyed_messages(kafka, topic, environment):
    result = run_program(environment, "produce", "--count", "20000", "--rate", "0")

    records = read_topic(kafka, topic)
    assert result.returncode == 0, result.stderr
    assert summary(result.stdout) == (20_000, 20_000, 0)
    assert len(ids(records)) == len(records) == 20_000
    now = datetime.now(UTC)
    partitions = defaultdict(set)
    for record in records:
        transaction = parse_message(record.value, now)
        assert record.key == transaction.account_id.encode()
        assert now - transaction.event_time < timedelta(minutes=1)
        partitions[record.key].add(record.partition)
    assert all(len(each) == 1 for each in partitions.values())


def test_producer_keeps_its_rate(kafka, topic, environment):
    result = run_program(environment, "produce", "--count", "401", "--rate", "100")

    times = sorted(json.loads(record.value)["event_time"] for record in read_topic(kafka, topic))
    elapsed = datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])
    assert result.returncode == 0, result.stderr
    assert elapsed.total_seconds() == pytest.approx(4.0, abs=0.1)


def test_producer_drains_on_sigterm(kafka, topic, environment):
    with Program(environment, "produce", "--rate", "3000") as producer:
        producer.wait_until_ready()
        wait_until(lambda: count_in_kafka(kafka, topic) > 1000, what="records in Kafka")
        wait_until(lambda: any("records/s" in each for each in producer.notifications), what="a STATUS line")

        assert producer.terminate() == 0

        sent, acknowledged, failed = summary(producer.text)
        assert (acknowledged, failed) == (sent, 0)
        assert len(ids(read_topic(kafka, topic))) == sent
        assert "STOPPING=1" in producer.notifications


def test_producers_wait_for_kafka_and_go_on(kafka, topic, environment):
    with Program(environment, "produce", "--rate", "0") as running:
        running.wait_until_ready()
        wait_until(lambda: count_in_kafka(kafka, topic) > 1000, what="records in Kafka")
        kafka.stop()
        with Program(environment, "produce", "--rate", "100") as started:
            wait_until(lambda: "Waiting for Kafka: no acknowledgement" in running.text, what="silence to be noticed")
            wait_until(lambda: "Waiting for Kafka" in started.text, what="a refused connection to be noticed")
            memory_bytes = running.memory_bytes
            assert "READY=1" not in started.notifications

            kafka.start()

            started.wait_until_ready()
            wait_until(lambda: running.text.count("Connected to Kafka") == 2, what="a new connection")
            assert running.terminate() == 0
            assert started.terminate() == 0
            assert memory_bytes < 250 * 2**20
            first, second = summary(running.text), summary(started.text)
            assert first[0] == first[1]
            assert second[0] == second[1]
            # A connection that broke may have put a record into the topic twice: the id tells.
            assert len(ids(read_topic(kafka, topic))) == first[0] + second[0]


def test_producer_sends_one_by_one_what_the_topic_does_not_take_together(kafka, topic, environment):
    kafka.configure_topic(topic, {"max.message.bytes": "2000"})

    result = run_program(environment, "produce", "--count", "200", "--rate", "0", "--compression", "none")

    assert result.returncode == 0, result.stderr
    assert summary(result.stdout) == (200, 200, 0)
    assert "records go again, one by one" in result.stderr
    assert len(ids(read_topic(kafka, topic))) == len(read_topic(kafka, topic)) == 200


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_producer_compresses_as_it_is_told(kafka, topic, environment, codec):
    environment["LAMBDA_PRODUCE_COMPRESSION"] = codec

    result = run_program(environment, "produce", "--count", "2000", "--rate", "0")

    assert result.returncode == 0, result.stderr
    assert len(ids(read_topic(kafka, topic))) == 2000
    assert kafka.codecs(topic) == {codec}


def test_producer_names_a_missing_topic(kafka, environment):
    result = run_program({**environment, "LAMBDA_KAFKA_TOPIC": "nowhere"}, "produce")

    assert result.returncode == os.EX_NOPERM
    assert "Kafka has no topic nowhere" in result.stderr
