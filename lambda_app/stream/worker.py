"""A worker of `lambda-app consume`: Kafka to PostgreSQL, each message once.

PostgreSQL alone knows what was consumed. So whatever fails, the answer is the same: drop what is not stored, let go of
the partitions, and begin again at the offsets that stand in the database.
"""

import logging
from collections.abc import Callable

from lambda_app import settings
from lambda_app.broker.subscription import Subscription
from lambda_app.core.backoff import Backoff
from lambda_app.core.events import Event
from lambda_app.core.stream.chunk import Chunk
from lambda_app.core.stream.holdings import Holdings
from lambda_app.core.stream.progress import KAFKA, POSTGRESQL, Progress, partition_lags
from lambda_app.database.connection import transaction
from lambda_app.errors import BrokerUnavailable, DatabaseUnavailable, PartitionLost, PositionVoid
from lambda_app.host.clock import Clock
from lambda_app.settings import Settings
from lambda_app.stream import positions
from lambda_app.stream.catching_up import CatchingUp
from lambda_app.stream.writer import Stored, Writer

logger = logging.getLogger(__name__)

_NAP_SECONDS = 0.1
# Pause between two looks at a busy writer while a chunk waits for it.
_PAUSE_SECONDS = 0.01


class Worker:
    """Joins the group, follows its assignments, and stores what it reads until told to stop.

    While the writer stores a chunk, the next one is read and taken apart.
    """

    def __init__(
        self,
        config: Settings,
        name: str,
        clock: Clock,
        report: Callable[[Progress], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._config = config
        # In the group, and of its shard: no other worker has it.
        self._name = name
        self._clock = clock
        self._report = report
        self._is_stopping = is_stopping
        self._progress = Progress()
        self._backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
        self._subscription: Subscription | None = None
        self._writer: Writer | None = None
        self._holdings = Holdings()
        self._chunk = Chunk()
        # Of the last message stored of each partition, in milliseconds since 1970; of others nothing is known yet.
        self._last_timestamps: dict[int, int] = {}
        self._catching_up = CatchingUp(clock)
        self._retry_at = 0.0
        self._reported_at = 0.0
        self._published_at = 0.0

    def run(self) -> None:
        """Works until `is_stopping`, then stores what it holds and leaves. Raises what no waiting can mend."""
        try:
            while not self._is_stopping():
                self._step()
            self._attempt(self._store_all)
            if self._subscription and self._holdings:
                self._subscription.publish(self._holdings.stored, wait_seconds=1)
        finally:
            self._close_subscription(is_leaving=self._is_stopping())
            self._close_writer()

    def _step(self) -> None:
        now = self._clock.monotonic()
        self._say(now)
        if now >= self._retry_at:
            self._attempt(self._work)
        elif self._subscription:
            # Polls with all partitions parked, so that the group keeps this worker as a member.
            self._attempt(self._poll_parked)
        else:
            self._clock.sleep(min(_NAP_SECONDS, self._retry_at - now))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseUnavailable as error:
            self._begin_again(str(error), POSTGRESQL)
            self._close_writer()
        except BrokerUnavailable as error:
            self._begin_again(str(error), KAFKA)
            self._close_subscription()
        except (PartitionLost, PositionVoid) as error:
            logger.warning("%s: reading again from the stored offsets", error, extra=Event.READING_AGAIN.fields())
            self._let_go()

    def _work(self) -> None:
        if self._writer is None:
            self._writer = Writer(self._config.kafka_topic, self._name, self._clock)
        if self._subscription is None:
            self._subscription = Subscription(self._config, self._name)
        self._follow_assignment(self._subscription, self._writer)
        self._read_more(self._subscription)
        self._take_result(self._writer)
        if self._is_time_to_store(self._subscription, self._writer):
            self._store(self._writer)
        if self._holdings and self._catching_up.is_due():
            self._catch_up(self._subscription)
        self._progress.waiting_for = self._progress.waiting_peer = ""

    def _poll_parked(self) -> None:
        if self._subscription:
            self._subscription.poll(_NAP_SECONDS, 1)

    def _is_time_to_store(self, subscription: Subscription, writer: Writer) -> bool:
        if self._chunk.is_full():
            return True
        if writer.is_busy or not len(self._chunk):
            return False
        # In a backlog the chunk will be full soon, so it is filled first.
        return not self._is_in_backlog(subscription)

    def _catch_up(self, subscription: Subscription) -> None:
        if self._is_in_backlog(subscription):
            self._catching_up.put_off()
        else:
            self._catching_up.begin()

    def _is_in_backlog(self, subscription: Subscription) -> bool:
        return sum(subscription.lag(self._holdings.read).values()) >= settings.CHUNK_RECORDS

    def _read_more(self, subscription: Subscription) -> None:
        # What the poll waits for decides how long: with a chunk, the writer; without a partition, the group; else
        # records.
        idle_seconds = settings.STATUS_SECONDS if self._holdings else _NAP_SECONDS
        timeout_seconds = _PAUSE_SECONDS if len(self._chunk) else idle_seconds
        runs = subscription.poll(timeout_seconds, max(1, settings.CHUNK_RECORDS - len(self._chunk)))
        topic_id = subscription.topic_id()
        if topic_id and not self._holdings.are_of(topic_id):
            # Records of a recreated topic have nothing to do with our offsets.
            self._let_go()
            return
        runs = self._holdings.take(runs)
        if runs:
            if not len(self._chunk):
                self._chunk.began_at = self._clock.monotonic()
            self._chunk.add(runs, self._holdings.read, self._clock.now())
            self._holdings.note_read(runs)

    def _follow_assignment(self, subscription: Subscription, writer: Writer) -> None:
        fresh = subscription.parked()
        lost = self._holdings.lost(subscription.assigned() - fresh)
        if lost or fresh:
            self._progress.counts.rebalances += 1
        if lost:
            # If we store our chunk in time, the next owner goes on behind it; if not, our commit fails and it reads
            # again.
            self._store_all()
            self._holdings.give_up(lost)
        if fresh:
            self._take_over(subscription, writer, fresh)
        self._progress.is_ready = self._progress.is_ready or subscription.joined()

    def _take_over(self, subscription: Subscription, writer: Writer, partitions: set[int]) -> None:
        self._store_all()
        topic_id = subscription.topic_id()
        if not self._holdings.are_of(topic_id):
            self._let_go()
            partitions = subscription.parked()
        topic, connection = self._config.kafka_topic, writer.connection
        with transaction(connection):
            positions.end_frozen_writers(connection, settings.FROZEN_SECONDS)
            stored = positions.read(connection, topic, partitions)
        bounds = subscription.log_bounds(partitions)
        with transaction(connection):
            found = positions.take_over(connection, topic, topic_id, stored, bounds, self._holdings.refuted)
        log_starts = {partition: start for partition, (start, _) in bounds.items()}
        subscription.start(self._holdings.take_over(topic_id, found, stored, log_starts))
        logger.info(
            "Reading partitions %s", sorted(self._holdings.read), extra=Event.PARTITIONS_TAKEN.fields(topic=topic)
        )

    def _store(self, writer: Writer) -> None:
        """Hands the chunk to the writer, as soon as it is free."""
        self._await_result(writer)
        chunk, self._chunk = self._chunk, Chunk()
        writer.begin(chunk, self._holdings.topic_id)

    def _store_all(self) -> None:
        """Returns when all that was read is stored."""
        if self._writer:
            if len(self._chunk):
                self._store(self._writer)
            self._await_result(self._writer)

    def _await_result(self, writer: Writer) -> None:
        while writer.is_busy:
            self._take_result(writer, settings.STATUS_SECONDS)

    def _take_result(self, writer: Writer, timeout_seconds: float = 0) -> None:
        result = writer.result(timeout_seconds)
        if result:
            self._holdings.note_stored(result.next_offsets)
            self._count(result)
            if result.has_put_off:
                self._catching_up.put_off()
            self._backoff.reset()
        elif timeout_seconds and writer.is_busy:
            # PostgreSQL is slow; reporting shows that this worker does not hang.
            self._progress.waiting_for, self._progress.waiting_peer = "PostgreSQL does not answer", POSTGRESQL
            self._say(self._clock.monotonic())

    def _count(self, result: Stored) -> None:
        counts = self._progress.counts
        counts.stored += result.stored
        counts.duplicate += result.duplicate
        counts.dead_letters += result.dead_letters
        counts.note_commit(result.messages, result.value_bytes, result.age_seconds, result.latencies)
        self._last_timestamps.update(result.last_timestamps)

    def _begin_again(self, reason: str, peer: str) -> None:
        delay = self._backoff.next_delay()
        self._retry_at = self._clock.monotonic() + delay
        if self._progress.waiting_for != reason:
            logger.warning("Waiting: %s", reason, extra=Event.PEER_AWAY.fields(peer=peer))
        self._progress.waiting_for, self._progress.waiting_peer = reason, peer
        self._progress.counts.retries[peer] += 1
        self._let_go()

    def _let_go(self) -> None:
        if self._subscription:
            self._subscription.park_all()
        if self._writer:
            self._abandon_write(self._writer)
        self._holdings.clear()
        self._chunk = Chunk()

    def _abandon_write(self, writer: Writer) -> None:
        """Waits until the write is over; whether it succeeded is read from the database later."""
        try:
            self._await_result(writer)
        except (DatabaseUnavailable, PartitionLost) as error:
            logger.info("A chunk was not stored: %s", error, extra=Event.CHUNK_DROPPED.fields())

    def _say(self, now: float) -> None:
        if now - self._reported_at < settings.STATUS_SECONDS:
            return
        self._reported_at = now
        self._progress.lag = {}
        if self._subscription:
            records = self._subscription.lag(self._holdings.stored)
            self._progress.lag = partition_lags(
                self._holdings.stored, records, self._last_timestamps, self._clock.now().timestamp()
            )
            if self._holdings and now - self._published_at >= settings.KAFKA_COMMIT_SECONDS:
                self._published_at = now
                self._subscription.publish(self._holdings.stored)
        self._report(self._progress)

    def _close_subscription(self, is_leaving: bool = False) -> None:
        if self._subscription:
            self._subscription.close(is_leaving)
        self._subscription = None

    def _close_writer(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer = None
