"""Membership in the consumer group, and the records of the partitions that it assigns."""

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState, OffsetAndMetadata

from lambda_app import settings
from lambda_app.broker import reading
from lambda_app.broker.client import CONSUMER, REQUEST_TIMEOUT_MS, open_client, translated_errors
from lambda_app.broker.topic import partitions_of, topic_id_of
from lambda_app.core.events import Event
from lambda_app.core.stream.run import Run
from lambda_app.settings import Settings

logger = logging.getLogger(__name__)


# How long Kafka holds back a fetch. In silence the first record ends the wait; while records flow Kafka gathers
# several, so that a quiet stream is read a few times a second and not record by record. A backlog never waits.
_FETCH_OF_SILENCE = {"fetch_min_bytes": 1, "fetch_max_wait_ms": int(settings.FETCH_SILENCE_SECONDS * 1000)}
_FETCH_OF_FLOW = {
    "fetch_min_bytes": settings.FETCH_FLOW_BYTES,
    "fetch_max_wait_ms": int(settings.FETCH_FLOW_SECONDS * 1000),
}


class Subscription:
    """Membership in the consumer group and the records of the partitions it assigns.

    A partition that the group hands over is parked: nothing is read from it until `start` says where.
    """

    # Parked partitions. The client's own thread adds to it.
    _parked: set[int]

    def __init__(self, config: Settings, instance: str) -> None:
        """Joins as `instance`: a name that one process at a time has, and the process after it again.

        So a worker that was killed gets its partitions back at once: the group knows it as the same member.
        """
        self._config = config
        self._parked = set()
        if config.kafka_api == "batches":
            reading.receive_large_pieces()
        self._consumer = open_client(
            KafkaConsumer,
            config,
            CONSUMER,
            {
                "client_id": instance,
                "group_id": config.kafka_group,
                "group_instance_id": instance,
                "session_timeout_ms": int(settings.KAFKA_SESSION_SECONDS * 1000),
                "heartbeat_interval_ms": int(settings.KAFKA_HEARTBEAT_SECONDS * 1000),
                "enable_auto_commit": False,
                # The client must not choose another offset when ours is out of range: core/stream/offsets.py decides.
                "auto_offset_reset": "none",
                "partition_assignment_strategy": [CooperativeStickyAssignor],
                "max_partition_fetch_bytes": settings.FETCH_PARTITION_BYTES,
                "fetch_max_bytes": settings.FETCH_BYTES,
                "isolation_level": "read_committed",
            },
        )
        if config.kafka_api == "batches":
            reading.read_batches(self._consumer)
        try:
            with translated_errors(config):
                partitions_of(self._consumer, config)
                self._consumer.subscribe([config.kafka_topic], listener=_Parking(self._consumer, self._parked))
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_seconds: float, max_records: int) -> list[Run]:
        """What comes next in the started partitions. Whole batches may be more than `max_records`."""
        if self._consumer._coordinator.rejoining:
            # kafka-python 3.0.12 forgets a join that outlasts a poll when new metadata was its cause: it would neither
            # finish it nor send heartbeats again, and go on reading what the group has given to others. So ask for the
            # join again, and poll long enough for it to end: a join that ends between two polls begins again.
            self._consumer._coordinator.request_rejoin()
            timeout_seconds = max(timeout_seconds, settings.KAFKA_HEARTBEAT_SECONDS)
        with translated_errors(self._config):
            read = self._consumer.poll(timeout_ms=max(0, int(timeout_seconds * 1000)), max_records=max_records)
        # kafka-python 3.0.12 reads these settings again for each fetch.
        self._consumer._fetcher.config.update(_FETCH_OF_FLOW if read else _FETCH_OF_SILENCE)
        if self._config.kafka_api == "batches":
            return [run for runs in read.values() for run in runs]
        return [reading.run_of_records(tp.partition, records, records[-1].leader_epoch) for tp, records in read.items()]

    def assigned(self) -> set[int]:
        """The partitions that are ours by the group's word."""
        return {tp.partition for tp in self._consumer.assignment()}

    def parked(self) -> set[int]:
        """Those of them that wait for `start`."""
        return self.assigned() & self._parked

    def joined(self) -> bool:
        """Whether we are a member of a settled group."""
        metadata = self._consumer.group_metadata()
        return bool(metadata.state == MemberState.STABLE)

    def start(self, positions: Mapping[int, int]) -> None:
        """Reads these partitions from these offsets on."""
        for partition, offset in positions.items():
            tp = self._tp(partition)
            self._consumer.seek(tp, offset)
            self._parked.discard(partition)
            self._consumer.resume(tp)

    def park_all(self) -> None:
        """Reads nothing until partitions are started again."""
        assigned = self.assigned()
        self._parked.update(assigned)
        self._consumer.pause(*map(self._tp, assigned))

    def topic_id(self) -> UUID | None:
        """The identity of the topic as the client knows it now: another one means that it was recreated."""
        return topic_id_of(self._consumer, self._config)

    def log_bounds(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """The first offset and the one behind the last, of each partition."""
        wanted = [self._tp(p) for p in partitions]
        with translated_errors(self._config):
            starts = self._consumer.beginning_offsets(wanted, REQUEST_TIMEOUT_MS)
            ends = self._consumer.end_offsets(wanted, REQUEST_TIMEOUT_MS)
        return {tp.partition: (starts[tp], ends[tp]) for tp in wanted}

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Messages beyond these positions, of each partition of which the last answers tell."""
        assigned = self.assigned()
        highwaters = {p: self._consumer.highwater(self._tp(p)) for p in positions if p in assigned}
        return {p: max(0, highwater - positions[p]) for p, highwater in highwaters.items() if highwater is not None}

    def publish(self, positions: Mapping[int, int], wait_seconds: float = 0) -> None:
        """Tells Kafka the offsets, for people who look there. Failing is no harm."""
        offsets = {self._tp(p): OffsetAndMetadata(offset, "", -1) for p, offset in positions.items()}
        try:
            if wait_seconds:
                self._consumer.commit(offsets, timeout_ms=int(wait_seconds * 1000))
            else:
                self._consumer.commit_async(offsets)
        except (kafka_errors.KafkaError, AssertionError) as error:
            logger.info("Kafka did not take the offsets for display: %s", error, extra=Event.OFFSETS_NOT_SHOWN.fields())

    def close(self, is_leaving: bool = False) -> None:
        """Disconnects; `is_leaving`: the others take our partitions at once, not after the session timeout."""
        if is_leaving:
            # A static member of kafka-python leaves without telling the group; one without a name tells it. (KIP-1092
            # lets Java's client choose.)
            self._consumer._coordinator.config["group_instance_id"] = None
        try:
            self._consumer.close(autocommit=False, timeout_ms=2000)
        except (kafka_errors.KafkaError, OSError) as error:
            logger.info("Left the group without a goodbye: %s", error, extra=Event.GROUP_NOT_LEFT.fields())

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._config.kafka_topic, partition)


class _Parking(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds back what the group assigns. Runs on kafka-python's own thread: it must not block."""

    def __init__(self, consumer: KafkaConsumer, parked: set[int]) -> None:
        self._consumer = consumer
        self._parked = parked

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for tp in assigned:
            self._parked.add(tp.partition)
            # Any position will do: with one the client does not ask Kafka for a committed offset.
            self._consumer.seek(tp, 0)
            self._consumer.pause(tp)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing to do: who reads compares `assigned()` with what it holds."""
