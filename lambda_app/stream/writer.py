"""The transaction that stores a chunk of the stream, and the thread that runs it while the next chunk is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from uuid import UUID

from lambda_app import settings
from lambda_app.core.stream.chunk import Chunk
from lambda_app.core.transaction.reason_class import reason_class
from lambda_app.database.connection import STREAM, Connection, connect, transaction
from lambda_app.host.clock import Clock
from lambda_app.layers.day_tables import DayTables
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.speed_layer import assign_shard
from lambda_app.layers.store import Store
from lambda_app.stream import positions

# Rows of a chunk whose way from event_time to here is timed: each would cost what encoding it costs.
_FOLLOWED_ROWS = 20
SERVER_SETTINGS = {
    # A worker that is frozen in the middle of a chunk must not keep its rows locked for the next owner ...
    "idle_in_transaction_session_timeout": f"{settings.FROZEN_SECONDS}s",
    # ... nor wait forever for another one's locks.
    "lock_timeout": f"{2 * settings.FROZEN_SECONDS}s",
    # The server ends the session within 25 s when the worker's host is gone.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@dataclass(frozen=True)
class Stored:
    """What became of a chunk."""

    # Of each partition in the chunk the new position, and Kafka's time of the last message in milliseconds since 1970.
    next_offsets: Mapping[int, int]
    last_timestamps: Mapping[int, int]
    stored: int
    duplicate: int
    # By reason_class.
    dead_letters: Counter[str]
    messages: int
    value_bytes: int
    # From the first read to the commit.
    age_seconds: float
    # From event_time to the commit, of some rows; of none when not all were new.
    latencies: Sequence[float]
    # Whether aggregates were put off, to be recomputed later.
    has_put_off: bool = False


class Writer:
    """A connection, and a thread that stores one chunk at a time on it."""

    def __init__(self, topic: str, name: str, clock: Clock) -> None:
        """`name` is that of the member of the group, whose shard of the speed layer it writes.

        Raises DatabaseUnavailable when trying again can help, AccessRefused when it cannot.
        """
        # Not for use while `is_busy`.
        self.connection: Connection = connect(STREAM, f"lambda-consumer {name}", SERVER_SETTINGS)
        with transaction(self.connection):
            positions.prepare(self.connection)
            shard = assign_shard(self.connection, name)
        self._topic = topic
        self._clock = clock
        self._store = Store(self.connection, shard)
        self._day_tables = DayTables(self.connection, self._store.days)
        # How many of the next chunks skip the fast path, because a duplicate or a conflict is expected.
        self._cautious_chunks = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._in_flight: Future[Stored] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a chunk is on its way, or its result not yet taken."""
        return self._in_flight is not None

    def begin(self, chunk: Chunk, topic_id: UUID | None) -> None:
        """Starts to store a chunk; take the result of the one before first."""
        self._in_flight = self._thread.submit(self._store_chunk, chunk, topic_id)

    def result(self, timeout_seconds: float) -> Stored | None:
        """What became of the chunk, None while it is on its way.

        Raises DatabaseUnavailable, PartitionLost or AccessRefused: then nothing of it is stored.
        """
        if self._in_flight is None or not wait_for([self._in_flight], timeout_seconds).done:
            return None
        done, self._in_flight = self._in_flight, None
        return done.result()

    def close(self) -> None:
        """Ends the connection, and with it what is on its way."""
        self.connection.close()
        self._thread.shutdown(wait=False)

    def _store_chunk(self, chunk: Chunk, topic_id: UUID | None) -> Stored:
        """Stores a chunk: rows, dead letters, offsets and aggregates are committed together, or none of them is.

        This is why each message is stored once. The offsets move only if they still stand where the chunk was read
        from (else PartitionLost). So a worker that was killed, frozen or lost its partitions has written nothing, and
        who reads the same messages next finds the database as it was. The tables of new days alone are created
        before, in a transaction of their own: an empty table harms nobody.
        """
        connection = self.connection
        self._day_tables.ensure(chunk.rows)
        with self._store.transaction():
            result = self._store.add(chunk.rows, self._cautious_chunks > 0)
            advances, letters = chunk.account(result, self._topic, topic_id)
            kept = record_dead_letters(connection, letters)
            new_letters = Counter(letter.partition for letter in kept)
            for advance in advances:
                # Those that were kept when the log was read before count as duplicates.
                advance.recognise(advance.dead_letters - new_letters[advance.partition])
            positions.advance(connection, self._topic, topic_id, advances)
            # The end of the block records the aggregates of the new rows, then commits.
        is_whole = result.stored == len(chunk.rows)
        self._cautious_chunks = max(0, self._cautious_chunks - 1) if is_whole else settings.CAUTIOUS_CHUNKS
        now = self._clock.now()
        return Stored(
            next_offsets={advance.partition: advance.next_offset for advance in advances},
            last_timestamps={advance.partition: advance.last_timestamp for advance in advances},
            stored=result.stored,
            duplicate=sum(advance.duplicate for advance in advances),
            dead_letters=Counter(reason_class(letter.reason) for letter in kept),
            messages=len(chunk),
            value_bytes=chunk.value_bytes,
            age_seconds=self._clock.monotonic() - chunk.began_at,
            latencies=[(now - time).total_seconds() for time in chunk.some_event_times(_FOLLOWED_ROWS * is_whole)],
            has_put_off=self._store.has_put_off,
        )
