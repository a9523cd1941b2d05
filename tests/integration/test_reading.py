"""The inlet against a real broker: what it gives is what kafka-python's public interface gives."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CorruptRecordError
from kafka.net import manager
from kafka.net.transport import KafkaTCPTransport
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from lambda_app.broker import reading
from lambda_app.core.stream.run import Run
from tests.support.kafka_server import KafkaServer
from tests.support.processes import wait_until

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
# Partition, offset, key, value, time, leader epoch.
Row = tuple[int, int, bytes | None, bytes | None, int, int | None]


def read_both(kafka: KafkaServer, topic: str, starts: dict[int, int] | None = None) -> tuple[list[Row], list[Run]]:
    """All that is visible from these offsets on, by the public interface and by the inlet."""
    return _read(kafka, topic, starts, by_batch=False), _read(kafka, topic, starts, by_batch=True)


def _read(kafka: KafkaServer, topic: str, starts: dict[int, int] | None, by_batch: bool) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # For this consumer alone, and as if none before had asked for more.
        patch.setattr(manager, "KafkaTCPTransport", KafkaTCPTransport)
        if by_batch:
            reading.receive_large_pieces()
        return _read_all(kafka, topic, starts, by_batch)


def _read_all(kafka: KafkaServer, topic: str, starts: dict[int, int] | None, by_batch: bool) -> list[Any]:
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed", max_partition_fetch_bytes=100_000
    )
    try:
        if by_batch:
            reading.read_batches(consumer)
        partitions = [TopicPartition(topic, number) for number in range(4)]
        consumer.assign(partitions)
        for tp in partitions:
            consumer.seek(tp, (starts or {}).get(tp.partition, 0))
        ends = consumer.end_offsets(partitions)
        assert sum(ends.values()) >= 400, ends
        transports = [connection.transport for connection in consumer._manager._conns.values()]
        assert by_batch == any(isinstance(transport, reading.Transport) for transport in transports)
        found: list[Any] = []

        def is_all_read() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                found.extend(records)
            return all(consumer.position(tp) >= ends[tp] for tp in partitions)

        wait_until(is_all_read, what="everything read")
    finally:
        consumer.close()
    if by_batch:
        return found
    return [(r.partition, r.offset, r.key, r.value, r.timestamp, r.leader_epoch) for r in found]


def assert_same(records: Sequence[Row], runs: Sequence[Run]) -> None:
    rows = [
        (run.partition, offset, key, value)
        for run in runs
        for offset, key, value in zip(run.offsets, run.keys, run.values, strict=True)
    ]
    assert sorted(rows, key=lambda row: row[:2]) == sorted((r[:4] for r in records), key=lambda row: row[:2])
    last = {(r[0], r[1]): r[4:] for r in records}
    assert [(run.timestamp, run.leader_epoch) for run in runs] == [last[run.partition, run.offsets[-1]] for run in runs]


@pytest.mark.parametrize("codec", CODECS)
def test_inlet_gives_what_the_public_interface_gives(kafka: KafkaServer, topic: str, codec: str | None) -> None:
    rng = random.Random(7)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, compression_type=codec, linger_ms=20)
    sizes = [0, 1, 63, 64, 127, 128, 300, 8191, 8192, 20_000]
    for number in range(2000):
        size = rng.choice(sizes) if number % 10 == 0 else rng.randrange(400)
        producer.send(
            topic,
            # kafka-python sends no record without both.
            None if number % 97 == 0 else rng.randbytes(size),
            key=rng.choice([b"", b"A1", b"k" * 63, b"k" * 64, b"k" * 200, *([None] if number % 97 else [])]),
            partition=number % 4,
            headers=[("trace", b"\0" * rng.randrange(3)), ("empty", b"")] if number % 13 == 0 else [],
            timestamp_ms=1_780_000_000_000 + rng.randrange(-100_000, 100_000),
        )
    producer.close()

    records, runs = read_both(kafka, topic)

    assert len(records) == 2000
    assert len(runs) < 1000
    assert_same(records, runs)
    # In the middle of a batch.
    starts = {partition: rng.randrange(1, 499) for partition in range(4)}
    records, runs = read_both(kafka, topic, starts)
    assert len(records) == 2000 - sum(starts.values())
    assert_same(records, runs)


def test_inlet_hides_what_was_aborted(kafka: KafkaServer, topic: str) -> None:
    plain = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producers = [
        KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"{topic}-{n}") for n in range(2)
    ]
    for producer in producers:
        producer.init_transactions()
    for turn in range(6):
        for number, producer in enumerate(producers):
            producer.begin_transaction()
            for index in range(50):
                producer.send(topic, b"%d of %d in %d" % (index, number, turn), partition=index % 4)
            producer.flush()
        plain.send(topic, b"between", partition=turn % 4).get(10)
        for number, producer in enumerate(producers):
            if (turn + number) % 3:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
    for producer in [plain, *producers]:
        producer.close()

    records, runs = read_both(kafka, topic)

    assert len(records) == 8 * 50 + 6
    assert_same(records, runs)


def test_inlet_reads_a_compacted_batch(kafka: KafkaServer) -> None:
    # As compaction leaves it: the offsets of the batch stay, some records are gone.
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000)
    for offset in (0, 3, 4):
        builder.append(offset, 1000 + offset, b"k%d" % offset, b"v%d" % offset, [])

    run = reading._run_of_batch(1, DefaultRecordBatch(bytes(builder.build())))

    assert run is not None
    assert (list(run.offsets), run.timestamp) == ([0, 3, 4], 1004)
    assert (run.keys, run.values) == ([b"k0", b"k3", b"k4"], [b"v0", b"v3", b"v4"])


def test_damaged_records_are_refused() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000)
    for offset in range(3):
        builder.append(offset, 1000, b"key", b"x" * 100, [])
    whole = bytes(builder.build())

    refused = 0
    for place in range(DefaultRecordBatch.HEADER_STRUCT.size, len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            run = reading._run_of_batch(0, DefaultRecordBatch(damaged))
        except CorruptRecordError:
            refused += 1
        else:
            # Then it is content that was hit, which the checksum tells.
            assert run is not None
            assert len(run) == 3
            assert not DefaultRecordBatch(damaged).validate_crc()
    assert refused == 9
