"""The programs of the platform as actors: their real code, and what a model has to learn of each."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import Protocol
from uuid import UUID

from lambda_app.core.stream.chunk import Chunk
from lambda_app.core.stream.run import Run
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.errors import DatabaseUnavailable, PartitionLost
from lambda_app.layers.day_tables import ensure_day_tables
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.recompute import dirty_days, recompute_days, recompute_uncounted
from lambda_app.layers.store import BATCH_SHARD, Store
from lambda_app.stream.writer import Stored, Writer
from tests.layers.model import Fate, Message, Model, Place, Row
from tests.support.interleaving import Actor, Fault, TurnClock

TOPIC, TOPIC_ID = "transactions", UUID(int=1)
# Stands for the line of a file that conflicts with what is stored.
CONFLICT = b"a conflict"


class World(Protocol):
    """What actors see of the test."""

    place: Place
    model: Model
    tally: Counter[str]
    # What Kafka has, by partition.
    log: dict[int, list[Message]]
    # Of the workers; one that broke is taken out.
    writers: dict[int, Writer]

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Runs a statement as the superuser."""


class PlatformActor(Actor):
    """A program of the platform, and what the model has to know of it."""

    def __init__(self, world: World, fault: Fault | None) -> None:
        super().__init__(self.work, fault)
        self.world = world
        # Whether the model knows that it was committed.
        self.is_applied = False

    def work(self) -> object:
        raise NotImplementedError

    def is_committed(self) -> bool:
        """What the database says."""
        return False

    def apply(self) -> None:
        """Does in the model what was committed."""

    def check_end(self) -> None:
        """It came to its end or told of an outage; anything else is an error."""
        if isinstance(self.error, DatabaseUnavailable) and (self.was_hit or "deadlock detected" in str(self.error)):
            self.world.tally["deadlocks"] += not self.was_hit
        elif self.error:
            raise self.error


class StreamActor(PlatformActor):
    """A worker of the consumer stores all that it has not stored yet of these partitions."""

    def __init__(self, world: World, worker: int, partitions: Sequence[int], fault: Fault | None) -> None:
        super().__init__(world, fault)
        self.worker = worker
        self.expected = {partition: world.model.positions[partition] for partition in partitions}
        self.portions = {
            partition: portion
            for partition, position in self.expected.items()
            if (portion := world.log[partition][position.next_offset :])
        }
        self.writer = world.writers[worker]

    def work(self) -> Stored | None:
        chunk = Chunk()
        now = self.world.place.begins + timedelta(days=3)
        for partition, portion in self.portions.items():
            start = self.expected[partition].next_offset
            values = [message.value for message in portion]
            run = Run(partition, range(start, start + len(values)), [b"A1"] * len(values), values, 1_780_000_000_000, 3)
            chunk.add([run], {partition: start}, now)
        return self.writer._store_chunk(chunk, TOPIC_ID) if len(chunk) else None

    def is_committed(self) -> bool:
        if not self.portions or self.was_outrun():
            return False
        rows = self.world.query("SELECT partition, next_offset FROM lambda.stream_offsets")
        moved = {partition for partition, offset in rows if offset == self.next_offset(partition)}
        assert not moved & self.portions.keys() or moved >= self.portions.keys()
        return moved >= self.portions.keys()

    def apply(self) -> None:
        for partition, portion in self.portions.items():
            self.world.model.read(partition, portion)

    def check_end(self) -> None:
        if isinstance(self.error, PartitionLost):
            assert self.was_outrun()
            assert not self.is_applied
            self.world.tally["outrun"] += 1
        else:
            super().check_end()
        if self.was_hit or isinstance(self.error, DatabaseUnavailable):
            self.writer.close()
            self.world.writers.pop(self.worker, None)
        if not self.error and self.portions:
            assert self.is_applied
            assert isinstance(self.result, Stored)
            assert self.result.next_offsets == {partition: self.next_offset(partition) for partition in self.portions}

    def was_outrun(self) -> bool:
        """Whether another worker has moved one of its partitions."""
        return not self.is_applied and any(
            self.world.model.positions[partition] != self.expected[partition] for partition in self.portions
        )

    def next_offset(self, partition: int) -> int | None:
        if partition not in self.portions:
            return None
        return self.expected[partition].next_offset + len(self.portions[partition])


class LoadActor(PlatformActor):
    """The batch loads a file, in pieces; its job's row tells whether it did."""

    def __init__(self, world: World, sent: Sequence[Sequence[Message]], fault: Fault | None) -> None:
        super().__init__(world, fault)
        [(self.id, self.job_id)] = world.query(
            "INSERT INTO lambda.batch_jobs (source, business_date)"
            " SELECT 'test', DATE '2020-01-01' + count(*)::integer FROM lambda.batch_jobs RETURNING id, job_id"
        )
        self.pieces = [
            [message.row._replace(job_id=self.job_id, ingestion_type="BATCH") for message in piece if message.row]
            for piece in sent
        ]
        rejected = [message.value for piece in sent for message in piece if not message.row]
        self.letters = [(None, None, f"{self.job_id}.csv", line, raw) for line, raw in enumerate(rejected)]

    def work(self) -> None:
        with closing(connect(BATCH)) as connection:
            store = Store(connection, BATCH_SHARD)
            pieces = [Rows.of([_line(row) for row in piece]) for piece in self.pieces]
            for piece in pieces:
                with transaction(connection):
                    ensure_day_tables(connection, store.days.of(piece.minutes()))
            with store.transaction():
                loaded = duplicate = first = 0
                conflicts = []
                for chunk in (pieces[:1], pieces[1:]):
                    result = store.add_while_read(chunk, expect_duplicates=duplicate > 0)
                    conflicts += [first + each.index for each in result.refused]
                    assert all("conflicts with" in each.reason for each in result.refused)
                    loaded, duplicate = loaded + result.stored, duplicate + result.duplicate
                    first += sum(map(len, chunk))
                letters = [DeadLetter("bad", raw, file=file, line=line) for _, _, file, line, raw in self.letters]
                letters += [DeadLetter("a conflict", CONFLICT, file=f"{self.job_id}.csv", line=n) for n in conflicts]
                record_dead_letters(connection, letters)
                counts = {"rows_read": 0, "rows_loaded": loaded, "rows_duplicate": duplicate}
                counts["rows_rejected"] = len(conflicts)
                ended = {"id": self.id, "header": [], "delimiter": ","}
                Queries("batch").run(connection, "complete_job", **ended, **counts)

    def is_committed(self) -> bool:
        return self.world.query(f"SELECT status FROM lambda.batch_jobs WHERE id = {self.id}") == [("completed",)]

    def apply(self) -> None:
        fates = [self.world.model.store(row) for piece in self.pieces for row in piece]
        conflicts = [place for place, fate in enumerate(fates) if fate is Fate.REFUSED]
        self.world.model.letters.update(self.letters)
        self.world.model.letters.update((None, None, f"{self.job_id}.csv", place, CONFLICT) for place in conflicts)
        counts = self.world.query(
            f"SELECT rows_loaded, rows_duplicate, rows_rejected FROM lambda.batch_jobs WHERE id = {self.id}"
        )
        assert counts == [tuple(fates.count(fate) for fate in Fate)]

    def check_end(self) -> None:
        super().check_end()
        assert self.is_applied or self.error


class RecomputeActor(PlatformActor):
    """Recomputes these days or, in the night, all that are dirty and closed; nothing that is served changes by it."""

    def __init__(self, world: World, days: Sequence[date] | None, fault: Fault | None) -> None:
        super().__init__(world, fault)
        self.is_night = days is None
        self.days = list(days or [])

    def work(self) -> None:
        if self.is_night:
            with closing(connect(BATCH)) as connection:
                # The newest day is still open.
                self.days = dirty_days(connection)[:-1]
        recomputed = [each.day for each in recompute_days(self.days, TurnClock())]
        assert recomputed == self.days


class CatchUpActor(PlatformActor):
    """Recomputes the days of which some aggregates were put off; nothing that is served changes by it."""

    def __init__(self, world: World, service: str, fault: Fault | None) -> None:
        super().__init__(world, fault)
        self.service = service

    def work(self) -> None:
        recompute_uncounted(TurnClock(), self.service)


def _line(row: Row) -> str:
    transaction = Transaction(row.job_id, *row[1:5], row.event_time, row.merchant_category, None, None, row.risk_score)
    return encode_row(transaction, row.ingestion_type)
