"""The producer's way into Kafka: idempotent, keyed, and quick enough to use up what one core has.

kafka-python's own `send` makes a future for every record, which costs twice the rest. Here records go straight into the
client's batches, under its lock and by its rules, and the fate of a batch is that of its records. It relies on the
inside of kafka-python 3.0.12, which is pinned; everything else about sending is the client's.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.partitioner import murmur2
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from lambda_app import settings
from lambda_app.broker.client import METADATA_TIMEOUT_MS, PRODUCER, open_client, translated_errors
from lambda_app.errors import AccessRefused, RecordRefused
from lambda_app.settings import Settings

# The client's timeout for a record: records wait for Kafka however long it is away.
NEVER_MS = 10 * 365 * 24 * 3600 * 1000
REMEMBERED_KEYS = 100_000

Record = tuple[bytes, bytes]  # key, value


def _never(*_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Settled:
    """Records whose fate became known: how many Kafka has, and which it does not take."""

    acknowledged: int
    refused: Sequence[tuple[Record, RecordRefused]]


class Outlet:
    """A connected producer for the user lambda-producer, which knows the topic. For one thread.

    A record that is sent stays on its way for as long as Kafka is away: nothing expires.
    """

    def __init__(
        self, config: Settings, linger_seconds: float, compression: str = settings.PRODUCE_COMPRESSION
    ) -> None:
        """Raises BrokerUnavailable when trying again can help, AccessRefused when it cannot."""
        self._config = config
        self._topic = config.kafka_topic
        self._hashes: dict[bytes, int] = {}
        self._on_their_way: deque[tuple[ProducerBatch, list[Record]]] = deque()
        # Each partition's batch that took the last record.
        self._open: dict[int, tuple[ProducerBatch, list[Record]]] = {}
        self._outstanding = 0
        self._client = open_client(
            KafkaProducer,
            config,
            PRODUCER,
            {
                "acks": "all",
                "enable_idempotence": True,
                "linger_ms": int(linger_seconds * 1000),
                "batch_size": settings.PRODUCE_BATCH_BYTES,
                "compression_type": None if compression == "none" else compression,
                "max_block_ms": METADATA_TIMEOUT_MS,
                "delivery_timeout_ms": NEVER_MS,
            },
        )
        # The client must not split a batch that is too large: it would not tell us the fate of the parts.
        self._client._sender._can_split = _never
        try:
            self._partitions()
        except BaseException:
            self.close(0)
            raise

    @property
    def outstanding(self) -> int:
        """Records on their way."""
        return self._outstanding

    def send(self, records: Iterable[Record], milliseconds: int) -> None:
        """Puts records on their way, with this time as Kafka's timestamp: all, or none when it raises."""
        partitions = self._partitions()
        groups: dict[int, list[Record]] = {}
        for record in records:
            groups.setdefault(partitions[self._hash(record[0]) % len(partitions)], []).append(record)
        new_batches = [self._append(partition, group, milliseconds) for partition, group in groups.items()]
        if any(new_batches):
            self._client._sender.wakeup()

    def settle(self) -> Settled:
        """What became of the records that were sent, since the last time.

        Raises BrokerUnavailable or AccessRefused when Kafka's answer is not about a record: that one stays unsettled.
        """
        acknowledged = 0
        refused: list[tuple[Record, RecordRefused]] = []
        while self._on_their_way and self._on_their_way[0][0].produce_future.is_done:
            batch, records = self._on_their_way[0]
            _, _, exception_of = batch.produce_future.value
            if exception_of is None:
                acknowledged += len(records)
            elif acknowledged or refused:
                # Return what is settled so far: it would be lost if the next batch raised.
                break
            else:
                refused = [(record, self._refusal(exception_of(place))) for place, record in enumerate(records)]
            self._on_their_way.popleft()
            self._outstanding -= len(records)
        return Settled(acknowledged, refused)

    def unsettled(self) -> list[Record]:
        """The records whose fate is not known."""
        return [record for _, records in self._on_their_way for record in records]

    def close(self, timeout_seconds: float) -> None:
        """Ends the connection; records still on their way after that time are dropped."""
        try:
            self._client.close(timeout=timeout_seconds)
        except kafka_errors.KafkaError:
            # close() gives up before it stops the thread when a record is still on its way.
            self._client._sender.force_close()

    def _partitions(self) -> list[int]:
        """The topic's partitions; blocks for some seconds when they are not known."""
        with translated_errors(self._config):
            try:
                return sorted(self._client.partitions_for(self._topic))
            except kafka_errors.KafkaTimeoutError as error:
                raise AccessRefused(f"Kafka has no topic {self._topic}, or does not show it to this user") from error

    def _hash(self, key: bytes) -> int:
        """Which partition a key belongs to, as every Kafka client computes it; slow in Python, so each key once."""
        known = self._hashes.get(key)
        if known is None:
            if len(self._hashes) >= REMEMBERED_KEYS:
                self._hashes.clear()
            known = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return known

    def _append(self, partition: int, records: Sequence[Record], milliseconds: int) -> bool:
        """Appends to the partition's last batch, or to new ones; whether any are new. As RecordAccumulator.append."""
        accumulator = self._client._accumulator
        topic_partition = TopicPartition(self._topic, partition)
        is_new = False
        with accumulator._tp_lock(topic_partition):
            waiting = accumulator._batches[topic_partition]
            batch, contents = self._open.get(partition, (None, []))
            if not waiting or waiting[-1] is not batch:
                batch = None
            for record in records:
                # append returns None when the batch is full, or the client has closed it.
                if batch is None or batch.records.append(milliseconds, *record) is None:
                    batch, contents = self._new_batch(accumulator, topic_partition), []
                    batch.records.append(milliseconds, *record)
                    waiting.append(batch)
                    accumulator._incomplete.add(batch)
                    self._open[partition] = (batch, contents)
                    self._on_their_way.append((batch, contents))
                    is_new = True
                contents.append(record)
        self._outstanding += len(records)
        return is_new

    def _new_batch(self, accumulator: Any, topic_partition: TopicPartition) -> ProducerBatch:
        config = accumulator.config
        builder = MemoryRecordsBuilder(config["message_version"], config["compression_attrs"], config["batch_size"])
        return ProducerBatch(topic_partition, builder)

    def _refusal(self, exception: Exception) -> RecordRefused:
        try:
            with translated_errors(self._config):
                raise exception
        except RecordRefused as refusal:
            return refusal
