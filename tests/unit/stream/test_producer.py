"""The producer's own decisions, with a fake Kafka and a fake clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from lambda_app import settings
from lambda_app.broker.sending import Record, Settled
from lambda_app.errors import BrokerUnavailable, RecordRefused
from lambda_app.settings import Settings
from lambda_app.stream import producer
from lambda_app.stream.producer import PAUSE_SECONDS, Producer
from tests.support.clock import MovedClock


@dataclass
class FakeKafka:
    """Acknowledges at once unless it is away; like the client, it fails all on their way along with a bad record."""

    away: bool = False
    is_bad: Callable[[Record], bool] = lambda _record: False
    received: list[Record] = field(default_factory=list)
    pending: list[Record] = field(default_factory=list)
    connections: int = 0

    def __call__(self, _config: Settings, _linger_seconds: float, _compression: str) -> "FakeKafka":
        if self.away:
            raise BrokerUnavailable("Kafka is away")
        self.connections += 1
        return self

    @property
    def outstanding(self) -> int:
        return len(self.pending)

    def send(self, records: Iterable[Record], _milliseconds: int) -> None:
        self.pending += records

    def settle(self) -> Settled:
        if self.away:
            return Settled(0, ())
        records, self.pending = self.pending, []
        if any(self.is_bad(record) for record in records):
            return Settled(0, [(record, RecordRefused("too large")) for record in records])
        self.received += records
        return Settled(len(records), ())

    def unsettled(self) -> list[Record]:
        return list(self.pending)

    def close(self, timeout_seconds: float) -> None:
        self.pending.clear()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    fake = FakeKafka()
    monkeypatch.setattr(producer, "Outlet", fake)
    return fake


def test_producer_ends_when_all_is_acknowledged(kafka, clock):
    producer = Producer(Settings(), rate=100, count=301, clock=clock)

    producer.run()

    assert (producer.tally.sent, producer.tally.acknowledged, producer.tally.failed) == (301, 301, 0)
    # The last slot is at 103 s; it is sent with the next turn, and acknowledged in the one after.
    assert 103.0 < clock.seconds <= 103.0 + 2 * PAUSE_SECONDS + 0.01


def test_bad_records_are_said_to_be_lost_and_their_neighbours_arrive(kafka, clock, caplog):
    bad: list[Record] = []

    def is_bad(record: Record) -> bool:
        if len(bad) < 2 and record not in bad:
            bad.append(record)
        return record in bad

    kafka.is_bad = is_bad
    producer = Producer(Settings(), rate=0, count=100, clock=clock)

    producer.run()

    assert (producer.tally.acknowledged, producer.tally.failed) == (98, 2)
    assert len(set(kafka.received)) == len(kafka.received) == 98
    assert caplog.text.count("A record is lost: too large") == 2


def test_outage_is_waited_for_with_bounded_memory_and_nothing_is_lost(kafka, clock):
    producer = Producer(Settings(), rate=50_000, count=None, clock=clock)
    waiting: list[int] = []
    clock.at = {
        101.0: lambda: setattr(kafka, "away", True),
        400.0: lambda: waiting.append(producer.unacknowledged),
        401.0: lambda: setattr(kafka, "away", False),
        420.0: producer.stop,
    }

    producer.run()

    assert waiting == [settings.PRODUCE_OUTSTANDING_RECORDS]
    assert producer.unacknowledged == 0
    assert producer.tally.acknowledged == producer.tally.sent
    assert len(set(kafka.received)) == producer.tally.sent
    assert kafka.connections == 2


def test_rate_missed_during_an_outage_is_not_made_up_for(kafka, clock):
    producer = Producer(Settings(), rate=10, count=None, clock=clock)
    kafka.away = True
    clock.at = {160.0: lambda: setattr(kafka, "away", False), 170.0: producer.stop}

    producer.run()

    # From the connection, which comes at most one backoff after Kafka.
    assert 50 <= producer.tally.sent <= 101


def test_stop_gives_up_at_its_deadline_while_kafka_is_away(kafka, clock):
    producer = Producer(Settings(), rate=100, count=None, clock=clock)
    clock.at = {101.0: lambda: setattr(kafka, "away", True), 102.0: producer.stop}

    producer.run()

    assert producer.unacknowledged > 0
    assert clock.seconds == pytest.approx(102.0 + settings.PRODUCE_DRAIN_SECONDS, abs=1)
