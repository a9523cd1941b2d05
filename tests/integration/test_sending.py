"""The outlet against a real broker: what arrives is what kafka-python's own send would have written."""

import random
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from lambda_app.broker.sending import Outlet, Record
from lambda_app.errors import RecordRefused
from lambda_app.settings import Settings
from tests.support.kafka_server import KafkaServer
from tests.support.processes import wait_until

MILLISECONDS = 1_795_508_080_123


@pytest.fixture
def outlet(kafka: KafkaServer, topic: str) -> Iterator[Outlet]:
    opened = Outlet(Settings(kafka.bootstrap_servers, topic), linger_seconds=0.005)
    yield opened
    opened.close(0)


def settle_all(outlet: Outlet) -> tuple[int, list[tuple[Record, RecordRefused]]]:
    acknowledged, refused = 0, []

    def nothing_is_on_its_way() -> bool:
        nonlocal acknowledged
        settled = outlet.settle()
        acknowledged += settled.acknowledged
        refused.extend(settled.refused)
        return outlet.outstanding == 0

    wait_until(nothing_is_on_its_way, what="the fate of every record")
    return acknowledged, refused


def read_all(kafka: KafkaServer, topic: str) -> list:
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, max_partition_fetch_bytes=2**22)
    try:
        partitions = [TopicPartition(topic, number) for number in range(4)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        count = sum(consumer.end_offsets(partitions).values())
        records: list = []
        while len(records) < count:
            for batch in consumer.poll(timeout_ms=1000).values():
                records += batch
        return records
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_outlet_writes_what_the_public_client_writes(kafka, topic, codec):
    records = [(f"A{number % 50}".encode(), f"value {number}".encode()) for number in range(5000)]
    other = f"{topic}-public"
    kafka.create_topic(other)
    compression_type = None if codec == "none" else codec
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, compression_type=compression_type)
    for key, value in records:
        producer.send(other, value, key, timestamp_ms=MILLISECONDS)
    producer.close()

    outlet = Outlet(Settings(kafka.bootstrap_servers, topic), 0.005, codec)
    try:
        for start in range(0, 5000, 700):
            outlet.send(records[start : start + 700], MILLISECONDS)
        assert settle_all(outlet) == (5000, [])
    finally:
        outlet.close(0)

    def content(name: str) -> list:
        found = read_all(kafka, name)
        return sorted((r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in found)

    assert content(topic) == content(other)
    # A batch that a codec makes larger is left as it is.
    assert codec in kafka.codecs(topic) <= {codec, "none"}


def test_outlet_is_idempotent_and_asks_for_the_word_of_all_replicas(kafka, topic, outlet):
    outlet.send([(b"A1", b"one"), (b"A2", b"two")], MILLISECONDS)
    assert settle_all(outlet) == (2, [])

    assert outlet._client.config["acks"] == -1
    assert kafka.are_numbered(topic)


def test_outlet_settles_batches_that_are_too_large_for_the_topic(kafka, topic, outlet):
    kafka.configure_topic(topic, {"max.message.bytes": "10000"})
    # That no codec makes small.
    noise = random.Random(1)
    records = [(b"A1", noise.randbytes(100)) for _ in range(1000)]

    outlet.send(records, MILLISECONDS)
    acknowledged, refused = settle_all(outlet)

    # They are for the producer to send again one by one.
    assert (acknowledged, len(refused)) == (0, 1000)
    assert read_all(kafka, topic) == []


def test_outlet_tells_of_a_record_that_is_refused(kafka, topic, outlet):
    oversized = (b"A1", random.Random(1).randbytes(2**21))

    outlet.send([(b"A1", b"before"), oversized, (b"A1", b"after")], MILLISECONDS)

    acknowledged, refused = settle_all(outlet)
    # kafka-python fails what is sent after it along with it.
    assert acknowledged + len(refused) == 3
    assert oversized in [record for record, _ in refused]
    assert "MessageSizeTooLarge" in str(refused[0][1])


def test_outlet_keeps_records_of_a_broker_that_is_gone(kafka, topic, outlet):
    outlet.send([(b"A1", b"one")], MILLISECONDS)
    assert settle_all(outlet) == (1, [])
    kafka.stop()
    try:
        outlet.send([(b"A1", b"two"), (b"A2", b"three")], MILLISECONDS)
        assert outlet.settle().acknowledged == 0
        assert sorted(outlet.unsettled()) == [(b"A1", b"two"), (b"A2", b"three")]
    finally:
        kafka.start()

    assert settle_all(outlet) == (2, [])
    assert sorted(r.value for r in read_all(kafka, topic)) == [b"one", b"three", b"two"]
