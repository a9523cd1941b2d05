"""A worker of `lambda-app consume`: Kafka to PostgreSQL, each message once.

PostgreSQL alone knows what was consumed. So whatever fails, the answer is the same: drop the chunk, let go of the
partitions, and begin again at the offsets that stand in the database.
"""

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from lambda_app import database, positions, settings, storage
from lambda_app.broker import PositionVoid, Record, Subscription
from lambda_app.clock import Clock
from lambda_app.core.backoff import Backoff
from lambda_app.core.message import Transaction, parse_message
from lambda_app.core.offsets import fingerprint
from lambda_app.database import Connection
from lambda_app.errors import BrokerUnavailable, DatabaseUnavailable, InvalidMessage, PartitionLost
from lambda_app.positions import Advance
from lambda_app.settings import Settings
from lambda_app.storage import DeadLetter

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


@dataclass
class Chunk:
    """Records read and not yet stored."""

    records: list[Record] = field(default_factory=list)
    value_bytes: int = 0
    started_at: float = 0.0

    def add(self, records: list[Record], now: float) -> None:
        """Takes more records; the first ones start the chunk's age."""
        if records and not self.records:
            self.started_at = now
        self.records += records
        self.value_bytes += sum(len(r.value) for r in records if r.value is not None)

    def is_due(self, now: float) -> bool:
        """Whether it is time to store: by number, by size or by age."""
        return bool(self.records) and (
            len(self.records) >= settings.CHUNK_RECORDS
            or self.value_bytes >= settings.CHUNK_BYTES
            or now - self.started_at >= settings.CHUNK_AGE_SECONDS
        )


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
            self._connection = database.connect(database.STREAM, f"lambda-consumer {self._name}")
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
        records = subscription.poll(timeout_seconds, max(1, settings.CHUNK_RECORDS - len(self._chunk.records)))
        if self._read and subscription.topic_id() not in (None, self._topic_id):
            # Records of a topic made anew have nothing to do with our offsets.
            self._let_go()
            return
        ours = [r for r in records if r.offset >= self._read.get(r.partition, r.offset + 1)]
        for record in ours:
            self._read[record.partition] = record.offset + 1
        self._chunk.add(ours, self._clock.monotonic())

    def _follow_assignment(self, subscription: Subscription, connection: Connection) -> None:
        fresh = subscription.parked()
        gone = self._read.keys() - (subscription.assigned() - fresh)
        if gone:
            for partition in gone:
                del self._read[partition], self._stored[partition]
            self._chunk = _without(self._chunk, gone)
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
        parsed = _Parsed.of(chunk.records, topic, self._topic_id, self._stored, self._clock)
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


@dataclass
class _Parsed:
    """A chunk taken apart: rows to store, dead letters, and how far each partition moves."""

    rows: list[Transaction]
    # The record of each row.
    sources: list[Record]
    letters: list[DeadLetter]
    advances: dict[int, Advance]

    @classmethod
    def of(
        cls, records: list[Record], topic: str, topic_id: UUID | None, stored: Mapping[int, int], clock: Clock
    ) -> "_Parsed":
        now = clock.now()
        parsed = cls([], [], [], {})
        last: dict[int, Record] = {}
        for record in records:
            last[record.partition] = record
            try:
                row = parse_message(record.value, now)
            except InvalidMessage as error:
                parsed.letters.append(_dead_letter(record, topic, topic_id, str(error)))
            else:
                parsed.rows.append(row)
                parsed.sources.append(record)
        parsed.advances = {partition: _advance(stored[partition], record) for partition, record in last.items()}
        for letter in parsed.letters:
            parsed.advances[letter.partition or 0].dead_letters += 1
        return parsed

    def account(self, result: storage.StoreResult, topic: str, topic_id: UUID | None) -> None:
        """Adds what the database said to the letters and counters."""
        for source in self.sources:
            self.advances[source.partition].stored += 1
        for index in result.duplicates:
            counters = self.advances[self.sources[index].partition]
            counters.stored -= 1
            counters.duplicate += 1
        for refusal in result.refused:
            source = self.sources[refusal.index]
            counters = self.advances[source.partition]
            counters.stored -= 1
            counters.dead_letters += 1
            self.letters.append(_dead_letter(source, topic, topic_id, refusal.reason))


def _dead_letter(record: Record, topic: str, topic_id: UUID | None, reason: str) -> DeadLetter:
    return DeadLetter(reason, record.value, topic, topic_id, record.partition, record.offset)


def _advance(expected: int, last: Record) -> Advance:
    return Advance(
        partition=last.partition,
        expected=expected,
        next_offset=last.offset + 1,
        leader_epoch=last.leader_epoch,
        last_timestamp=last.timestamp,
        last_hash=fingerprint(last.key, last.value),
    )


def _without(chunk: Chunk, partitions: set[int]) -> Chunk:
    rest = Chunk()
    rest.add([r for r in chunk.records if r.partition not in partitions], chunk.started_at)
    return rest
