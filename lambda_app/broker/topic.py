"""What Kafka has of a topic, asked without being a member of the group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition

from lambda_app.broker.client import CONSUMER, METADATA_TIMEOUT_MS, REQUEST_TIMEOUT_MS, open_client, translated_errors
from lambda_app.core.stream.offsets import Log
from lambda_app.errors import TopicMissing
from lambda_app.settings import Settings


def log_ends(config: Settings, connect_ms: int = METADATA_TIMEOUT_MS) -> dict[int, int]:
    """The offset behind the last message of each partition, with the consumer's rights."""
    with _onlooker(config, connect_ms=connect_ms) as consumer:
        partitions = partitions_of(consumer, config)
        return {tp.partition: offset for tp, offset in consumer.end_offsets(partitions, 10_000).items()}


def partition_count(config: Settings, user: str) -> int:
    """How many partitions the topic has, as this user sees it."""
    with _onlooker(config, user) as client:
        return len(partitions_of(client, config))


def topic_log(config: Settings) -> Log:
    """What Kafka has of the topic, with the consumer's rights."""
    with _onlooker(config) as consumer:
        partitions = partitions_of(consumer, config)
        starts = consumer.beginning_offsets(partitions, REQUEST_TIMEOUT_MS)
        ends = consumer.end_offsets(partitions, REQUEST_TIMEOUT_MS)
        bounds = {tp.partition: (starts[tp], ends[tp]) for tp in partitions}
        return Log(config.kafka_topic, topic_id_of(consumer, config), bounds)


@contextmanager
def _onlooker(config: Settings, user: str = CONSUMER, connect_ms: int = METADATA_TIMEOUT_MS) -> Iterator[Any]:
    """A client that belongs to no group."""
    consumer = open_client(KafkaConsumer, config, user, {"bootstrap_timeout_ms": connect_ms})
    try:
        with translated_errors(config):
            yield consumer
    finally:
        consumer.close(autocommit=False, timeout_ms=1000)


def topic_id_of(consumer: KafkaConsumer, config: Settings) -> UUID | None:
    """The identity of the topic as a connected client knows it now; None from a broker too old to tell."""
    topic_id = consumer._cluster.topic_id(config.kafka_topic)
    return topic_id if isinstance(topic_id, UUID) and topic_id.int else None


def partitions_of(consumer: KafkaConsumer, config: Settings) -> list[TopicPartition]:
    """The topic's partitions. Raises TopicMissing when the client is shown none."""
    topic = config.kafka_topic
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise TopicMissing(f"Kafka has no topic {topic}, or does not show it to this user")
    return [TopicPartition(topic, partition) for partition in sorted(partitions)]
