"""A worker of `lambda-app consume`: Kafka to PostgreSQL, each message once.

PostgreSQL alone knows what was consumed. So whatever fails, the answer is the same: drop the chunk, let go of the
partitions, and begin again at the offsets that stand in the database.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from lambda_app import database, positions, settings, storage
from lambda_app.broker import PositionVoid, Subscription
from lambda_app.chunk import Chunk, ParsedChunk
from lambda_app.clock import Clock
from lambda_app.core.backoff import Backoff
from lambda_app.core.message import Transaction
from lambda_app.database import Connection
from lambda_app.errors import BrokerUnavailable, DatabaseUnavailable, PartitionLost
from lambda_app.settings import Settings

logger = logging.getLogger(__name__)

_NAP_SECONDS = 0.1


@dataclass
class Progress:
    """What a worker tells the supervisor, and by telling, that it is alive."""

    # Connected to both sides and settled in the group.
    is_ready: bool = False
    partitions: int = 0
    lag: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_letters: int = 0
    # What it waits for, "" for nothing.
    waiting_for: str = ""


class Worker:
    """Joins the group, follows its assignments, and stores what it reads until told to stop."""

    def __init__(
        self,
        config: Settings,
        slot: int,
        clock: Clock,
        report: Callable[[Progress], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._config = config
        self._name = f"{socket.gethostname()}-{slot}"
        self._clock = clock
        self._report = report
        self._is_stopping = is_stopping
        self._progress = Progress()
        self._backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
        self._subscription: Subscription | None = None
        self._connection: Connection | None = None
        # Where we read next in each partition we have started, and what of it is stored.
        self._read: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._topic_id: UUID | None = None
        self._chunk = Chunk()
        self._known_days: set[date] = set()
        # Chunks left for which a repetition is expected: they do not try the fast path.
        self._cautious_chunks = 0
        self._retry_at = 0.0
        self._reported_at = 0.0
        self._published_at = 0.0

    def run(self) -> None:
        """Works until `is_stopping`, then stores what it holds and leaves. Raises what no waiting can mend."""
        try:
            while not self._is_stopping():
                self._step()
            self._attempt(self._store)
            if self._subscription and self._stored:
                self._subscription.publish(self._stored, wait_seconds=1)
        finally:
            self._close_subscription()
            self._close_connection()

    def _step(self) -> None:
        now = self._clock.monotonic()
        if now - self._reported_at >= settings.STATUS_SECONDS:
            self._say(now)
        if now >= self._retry_at:
            self._attempt(self._work)
        elif self._subscription:
            # Parked, yet polling: the group must not think that we are gone.
            self._attempt(self._poll_parked)
        else:
            self._clock.sleep(min(_NAP_SECONDS, self._retry_at - now))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseUnavailable as error:
            self._begin_again(str(error))
            self._close_connection()
        except BrokerUnavailable as error:
            self._begin_again(str(error))
            self._close_subscription()
        except (PartitionLost, PositionVoid) as error:
            logger.warning("%s: reading again from the stored offsets", error)
            self._let_go()

    def _work(self) -> None:
        if self._connection is None:
            # A worker that is stopped in the middle of a chunk must not keep its rows locked for the next.
            self._connection = database.connect(
                database.STREAM, f"lambda-consumer {self._name}", settings.IDLE_IN_TRANSACTION_SECONDS
            )
        if self._subscription is None:
            self._subscription = Subscription(self._config, self._name)
        self._follow_assignment(self._subscription, self._connection)
        self._read_more(self._subscription)
        if self._chunk.is_due(self._clock.monotonic()):
            self._store()
        self._progress.waiting_for = ""

    def _poll_parked(self) -> None:
        if self._subscription:
            self._subscription.poll(_NAP_SECONDS, 1)

    def _read_more(self, subscription: Subscription) -> None:
        timeout_seconds = settings.CHUNK_AGE_SECONDS if self._chunk.records else settings.STATUS_SECONDS / 2
        batches = subscription.poll(timeout_seconds, max(1, settings.CHUNK_RECORDS - len(self._chunk.records)))
        if self._read and subscription.topic_id() not in (None, self._topic_id):
            # Records of a topic made anew have nothing to do with our offsets.
            self._let_go()
            return
        now = self._clock.monotonic()
        for partition, records in batches.items():
            if partition not in self._read:
                continue
            if records[0].offset < self._read[partition]:
                raise PositionVoid(f"Partition {partition} gave offset {records[0].offset} again")
            self._read[partition] = records[-1].offset + 1
            self._chunk.add(records, now)

    def _follow_assignment(self, subscription: Subscription, connection: Connection) -> None:
        fresh = subscription.parked()
        gone = self._read.keys() - (subscription.assigned() - fresh)
        if gone:
            for partition in gone:
                del self._read[partition], self._stored[partition]
            self._chunk = self._chunk.without(gone)
        if fresh:
            self._take_over(subscription, connection, fresh)
        self._progress.is_ready = self._progress.is_ready or subscription.joined()

    def _take_over(self, subscription: Subscription, connection: Connection, partitions: set[int]) -> None:
        topic_id = subscription.topic_id()
        if self._read and topic_id != self._topic_id:
            self._let_go()
            partitions = subscription.parked()
        topic = self._config.kafka_topic
        with database.transaction(connection):
            stored = positions.read(connection, topic, partitions)
        bounds = subscription.log_bounds(partitions)
        with database.transaction(connection):
            found = positions.take_over(connection, topic, topic_id, stored, bounds)
        self._topic_id = topic_id
        self._read.update(found)
        self._stored.update(found)
        subscription.start(found)
        logger.info("Reading partitions %s", sorted(self._read), extra={"topic": topic})

    def _store(self) -> None:
        connection = self._connection
        if not self._chunk.records or connection is None:
            return
        chunk, self._chunk = self._chunk, Chunk()
        topic = self._config.kafka_topic
        parsed = ParsedChunk.of(chunk.records, topic, self._topic_id, self._stored, self._clock.now())
        self._ensure_partitions(connection, parsed.rows)
        with database.transaction(connection):
            result = storage.store_chunk(connection, parsed.rows, "STREAM", expect_duplicates=self._cautious_chunks > 0)
            parsed.account(result, topic, self._topic_id)
            storage.record_dead_letters(connection, parsed.letters)
            positions.advance(connection, topic, self._topic_id, list(parsed.advances.values()))
        self._stored.update({partition: a.next_offset for partition, a in parsed.advances.items()})
        self._cautious_chunks = settings.CAUTIOUS_CHUNKS if result.duplicates else max(0, self._cautious_chunks - 1)
        self._progress.stored += result.stored
        self._progress.duplicate += result.duplicate
        self._progress.dead_letters += len(parsed.letters)
        self._backoff.reset()

    def _ensure_partitions(self, connection: Connection, rows: list[Transaction]) -> None:
        new = storage.split_by_day(rows, storage.session_zone(connection)).keys() - self._known_days
        if new:
            with database.transaction(connection):
                storage.ensure_partitions(connection, new)
            self._known_days |= new

    def _begin_again(self, reason: str) -> None:
        delay = self._backoff.next_delay()
        self._retry_at = self._clock.monotonic() + delay
        if self._progress.waiting_for != reason:
            logger.warning("Waiting: %s", reason)
        self._progress.waiting_for = reason
        self._let_go()

    def _let_go(self) -> None:
        if self._subscription:
            self._subscription.park_all()
        self._read.clear()
        self._stored.clear()
        self._known_days.clear()
        self._topic_id = None
        self._chunk = Chunk()

    def _say(self, now: float) -> None:
        self._reported_at = now
        self._progress.partitions = len(self._read)
        if self._subscription:
            self._progress.lag = self._subscription.lag(self._stored)
            if self._stored and now - self._published_at >= settings.KAFKA_COMMIT_SECONDS:
                self._published_at = now
                self._subscription.publish(self._stored)
        self._report(self._progress)

    def _close_subscription(self) -> None:
        if self._subscription:
            self._subscription.close()
        self._subscription = None

    def _close_connection(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
