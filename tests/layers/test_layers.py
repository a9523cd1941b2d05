"""The proof of the lambda layers: after every step, and after every commit in it, what is served is a recount.

Chunks of the stream, loads of the batch, recomputes and nightly runs, alone and interleaved statement by statement,
each cut off by a kill between any two statements; the recount is made from the events, not from the tables.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lambda_app.database.connection import BATCH, STREAM, connect, transaction
from lambda_app.host.clock import SystemClock
from lambda_app.layers import speed_layer
from lambda_app.stream import positions, writer
from lambda_app.stream.writer import Writer
from tests.layers.actors import TOPIC, TOPIC_ID, CatchUpActor, LoadActor, PlatformActor, RecomputeActor, StreamActor
from tests.layers.model import (
    CATEGORIES,
    EDGES,
    PARTITIONS,
    PLACES,
    RUBBISH,
    SCORES,
    SPELLINGS,
    TIME_COUNT,
    Event,
    Message,
    Model,
)
from tests.support.drills import TIMEOUT_SECONDS, choose
from tests.support.fixtures import Database
from tests.support.interleaving import UNTIL_COMMIT, Actor, Fault, Kill, Stage, Turn, TurnConnection
from tests.support.recount import Recount

STEPS = choose(1000, 10_000)
STEPS_OF_EXAMPLE = 40
# Which partitions each worker of the stream reads.
WORKERS = {1: (0, 1), 2: (2, 3)}

Sent = Sequence[Event | bytes | None]

events = st.builds(
    Event,
    # Half of them in two minutes, at the edges of the day: what comes late meets what is there.
    time=st.integers(0, TIME_COUNT - 1) | st.sampled_from(EDGES),
    number=st.integers(0, 49),
    hundredths=st.integers(-500, 500) | st.sampled_from([10**12 - 1, 1 - 10**12]),
    category=st.sampled_from(CATEGORIES),
    transaction_type=st.sampled_from(["purchase", "refund"]),
    score=st.sampled_from(list(SCORES)),
    spelling=st.sampled_from(SPELLINGS),
)
sources = st.lists(events | st.sampled_from(RUBBISH), max_size=6)
faults = st.none() | st.builds(Fault, st.integers(1, 20), st.sampled_from(Kill))
# Places in `Place.days`.
some_days = st.lists(st.sampled_from([0, 1, 2, 3, 4, 0, 1]), min_size=1, max_size=2)
turns = st.lists(st.tuples(st.integers(0, 4), st.just(UNTIL_COMMIT) | st.integers(1, 12)), max_size=12)


@dataclass
class Bench:
    """What all examples share."""

    database: Database
    tally: Counter[str] = field(default_factory=Counter)


class Layers(RuleBasedStateMachine):
    """The platform's database, and beside it the model of what must be in it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.tally = bench.tally
        self.database = bench.database
        self.looker = bench.database.server.connect(bench.database.name)
        self.stage = Stage(self.looker)
        self.place = PLACES["an ordinary day"]
        self.model = Model()
        # What Kafka has.
        self.log: dict[int, list[Message]] = {partition: [] for partition in PARTITIONS}
        self.writers: dict[int, Writer] = {}

    @initialize(place=st.sampled_from(list(PLACES)))
    def begin(self, place: str) -> None:
        self.place = PLACES[place]
        self.query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename LIKE 'lambda_%'"
        )
        self.query(f"ALTER DATABASE {self.database.name} SET timezone = '{self.place.zone.key}'")
        self.query(_EMPTY_TABLES)
        with closing(connect(STREAM)) as connection, transaction(connection):
            bounds = dict.fromkeys(PARTITIONS, (0, 0))
            assert positions.take_over(connection, TOPIC, TOPIC_ID, {}, bounds) == dict.fromkeys(PARTITIONS, 0)

    def teardown(self) -> None:
        for each in self.writers.values():
            each.close()
        self.looker.close()

    @rule(worker=st.sampled_from(list(WORKERS)), sent=sources, fault=faults)
    def stream(self, worker: int, sent: Sent, fault: Fault | None) -> None:
        self.send(worker, sent)
        self.play([self.worker(worker, fault)])

    @rule(partition=st.sampled_from(PARTITIONS), back=st.integers(1, 30))
    def read_again(self, partition: int, back: int) -> None:
        """As after a log that was cut off and filled again: messages that were consumed come once more."""
        position = self.model.positions[partition]
        next_offset = max(0, position.next_offset - back)
        self.query(f"UPDATE lambda.stream_offsets SET next_offset = {next_offset} WHERE partition = {partition}")
        self.model.positions[partition] = position._replace(next_offset=next_offset)
        self.play([])

    @rule(sent=st.lists(sources, min_size=1, max_size=3), fault=faults)
    def load(self, sent: list[Sent], fault: Fault | None) -> None:
        self.play([LoadActor(self, self.files(sent), fault)])

    @rule(days=st.none() | some_days, fault=faults)
    def recompute(self, days: list[int] | None, fault: Fault | None) -> None:
        """A nightly run when no days are given."""
        actor = RecomputeActor(self, days and [self.place.days()[number] for number in days], fault)
        self.play([actor])
        if not actor.error:
            self.check_batch_layer(actor.days)

    @rule(service=st.sampled_from([STREAM, BATCH]), fault=faults)
    def catch_up(self, service: str, fault: Fault | None) -> None:
        """Whoever is idle works out the aggregates that were put off."""
        actor = CatchUpActor(self, service, fault)
        self.play([actor])
        if not actor.error:
            assert self.count_put_off() == 0

    @rule(
        sent=st.lists(events, min_size=1, max_size=6),
        turns=turns,
        kills=st.tuples(faults, faults),
        is_patient=st.booleans(),
    )
    def late(
        self, sent: list[Event], turns: list[Turn], kills: tuple[Fault | None, Fault | None], is_patient: bool
    ) -> None:
        """Events of the days that are being recomputed."""
        self.send(1, sent)
        self.interleave(
            [self.worker(1, kills[0]), RecomputeActor(self, self.days_of(sent), kills[1])], turns, is_patient
        )

    @rule(
        sent=st.tuples(sources, sources, st.lists(sources, max_size=2)),
        is_zombie=st.booleans(),
        turns=turns,
        kills=st.tuples(faults, faults, faults, faults, faults),
        is_patient=st.booleans(),
    )
    def all_at_once(
        self,
        sent: tuple[Sent, Sent, list[Sent]],
        is_zombie: bool,
        turns: list[Turn],
        kills: Sequence[Fault | None],
        is_patient: bool,
    ) -> None:
        """Two workers, two recomputes, and a load; a zombie reads a partition that another worker has by now."""
        self.send(1, sent[0])
        self.send(2, sent[1])
        days = self.days_of(each for source in (*sent[:2], *sent[2]) for each in source)
        actors: list[PlatformActor] = [
            self.worker(1, kills[0]),
            self.worker(2, kills[1], WORKERS[1][:1] if is_zombie else ()),
            RecomputeActor(self, days[-2:], kills[2]),
            CatchUpActor(self, STREAM, kills[3]),
            LoadActor(self, self.files(sent[2]), kills[4]),
        ]
        self.interleave(actors, turns, is_patient)

    def interleave(self, actors: Sequence["PlatformActor"], turns: Sequence[Turn], is_patient: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lambda_app.settings.RECOMPUTE_LOCK_SECONDS", 60 if is_patient else 0.001)
            self.play(actors, turns)
        self.tally["steps interleaved"] += 1

    def worker(self, number: int, fault: Fault | None, stolen: Sequence[int] = ()) -> "StreamActor":
        if number not in self.writers:
            self.writers[number] = Writer(TOPIC, f"host-{number}", SystemClock())
        return StreamActor(self, number, (*WORKERS[number], *stolen), fault)

    def days_of(self, sent: Iterable[Event | bytes | None]) -> list[date]:
        times = {self.place.times()[each.time] for each in sent if isinstance(each, Event)}
        return sorted({time.astimezone(self.place.zone).date() for time in times})

    def send(self, worker: int, sent: Sent) -> None:
        for number, each in enumerate(sent):
            self.log[WORKERS[worker][number % 2]].append(self.message(each))

    def message(self, sent: Event | bytes | None) -> Message:
        return sent.at(self.place) if isinstance(sent, Event) else Message(sent, None)

    def files(self, sent: Sequence[Sent]) -> list[list[Message]]:
        return [[self.message(each) for each in piece] for piece in sent]

    def play(self, actors: Sequence["PlatformActor"], turns: Sequence[Turn] = ()) -> None:
        """A step: runs the actors, looks after each commit and at the end."""

        def look(actor: Actor) -> None:
            assert isinstance(actor, PlatformActor)
            if not actor.is_applied and actor.is_committed():
                actor.is_applied = True
                actor.apply()
            self.check()

        self.stage.play(actors, turns, look)
        for actor in actors:
            actor.check_end()
            name = type(actor).__name__
            self.tally.update({name: 1, f"{name} waited for a lock": actor.waits})
            self.tally.update({"statements": actor.statements, "killed": actor.was_hit})
        self.check()
        self.tally["steps"] += 1

    def check(self) -> None:
        """The tables are as the model says."""
        assert self.aggregates("transaction_stats") == self.model.stats()
        self.tally["looks at what was put off"] += self.count_put_off() > 0
        rows = self.query(
            "SELECT event_time, transaction_id, account_id, transaction_type, amount, merchant_category, risk_score,"
            " job_id, ingestion_type FROM lambda.transactions"
        )
        assert len(rows) == len(self.model.rows)
        assert set(rows) == set(self.model.rows.values())
        offsets = self.query(
            "SELECT partition, next_offset, stored_count, duplicate_count, dead_letter_count FROM lambda.stream_offsets"
        )
        assert {partition: tuple(rest) for partition, *rest in offsets} == self.model.positions
        letters = self.query('SELECT partition, "offset", file, line, raw FROM lambda.dead_letters')
        assert len(letters) == len(self.model.letters)
        assert {(*rest, raw and bytes(raw)) for *rest, raw in letters} == self.model.letters

    def check_batch_layer(self, days: Sequence[date]) -> None:
        """After a recompute the batch layer alone is the truth of these days, minute by minute and as a whole."""
        zone = self.place.zone
        of_days = "{} = ANY ('{{" + ",".join(map(str, days)) + "}}')"
        of_minutes = of_days.format(f"(minute AT TIME ZONE '{zone.key}')::date")
        assert self.aggregates("batch_stats", of_minutes) == self.model.stats(days, zone)
        assert self.aggregates("speed_stats", of_minutes) == {}
        assert self.count_put_off(of_minutes) == 0
        truth = self.model.day_stats(days, zone)
        assert self.aggregates("batch_day_stats", of_days.format("day"), "day") == truth
        counts = self.query(f"SELECT day, count FROM lambda.batch_days WHERE {of_days.format('day')}")
        assert dict(counts) == {day: sum(one[0] for key, one in truth.items() if key[0] == day) for day in days}

    def aggregates(self, relation: str, where: str = "true", time: str = "minute") -> Recount:
        rows = self.query(
            f"SELECT {time}, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum,"
            f" high_risk_count FROM lambda.{relation} WHERE {where}"
        )
        found = {tuple(row[:3]): tuple(row[3:]) for row in rows}
        assert len(found) == len(rows)
        return found

    def count_put_off(self, where: str = "true") -> int:
        [(count,)] = self.query(f"SELECT count(*) FROM lambda.uncounted_minutes WHERE {where}")
        return int(count)

    def query(self, statement: str) -> list[tuple]:
        with self.looker.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


_EMPTY_TABLES = """
DO $$
DECLARE
    name regclass;
BEGIN
    FOR name IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'lambda.transactions'::regclass LOOP
        EXECUTE 'DROP TABLE ' || name;
    END LOOP;
    TRUNCATE lambda.stream_offsets, lambda.stream_gaps, lambda.dead_letters, lambda.batch_jobs, lambda.speed_stats,
    lambda.uncounted_minutes, lambda.batch_stats, lambda.batch_days, lambda.batch_day_stats, lambda.batch_top_accounts
    RESTART IDENTITY;
END
$$
"""


@pytest.mark.timeout(max(TIMEOUT_SECONDS, 900))
def test_serving_view_is_a_recount_after_every_step(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_app.database.connection.connection", TurnConnection)
    monkeypatch.setattr(speed_layer, "_MANY_KEYS", 2)
    # Actors that wait for their turns are not frozen.
    for name in ("idle_in_transaction_session_timeout", "lock_timeout"):
        monkeypatch.setitem(writer.SERVER_SETTINGS, name, "120s")
    database.query(f"ALTER DATABASE {database.name} SET deadlock_timeout = '20ms'")
    # The sockets that need no password are quicker.
    services = database.service_file.read_text(encoding="utf-8")
    services = services.replace("host=127.0.0.1", f"host={database.server.directory}")
    database.service_file.write_text(services, encoding="utf-8")
    bench = Bench(database)

    while bench.tally["steps"] < STEPS:
        run_state_machine_as_test(
            lambda: Layers(bench),
            settings=settings(
                max_examples=10,
                stateful_step_count=STEPS_OF_EXAMPLE,
                suppress_health_check=HealthCheck,
                report_multiple_bugs=False,
                phases=set(Phase) - {Phase.explain},
            ),
        )

    print(", ".join(f"{name}: {count}" for name, count in sorted(bench.tally.items())))
    assert bench.tally["steps"] >= STEPS
    assert bench.tally["steps interleaved"] > STEPS / 100
    assert bench.tally["killed"] > STEPS / 100
    assert bench.tally["looks at what was put off"] > STEPS / 10
