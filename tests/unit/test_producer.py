"""The producer's own decisions, with a fake Kafka and a fake clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from lambda_app import producer as module
from lambda_app import settings
from lambda_app.broker import RecordRefused
from lambda_app.errors import BrokerUnavailable
from lambda_app.producer import Producer
from lambda_app.settings import Settings


class FakeClock:
    """Moves only when someone sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.at: dict[float, Callable[[], object]] = {}

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for moment in [each for each in self.at if each <= self.seconds]:
            self.at.pop(moment)()


@dataclass
class FakeDelivery:
    is_done: bool = False
    exception: Exception | None = None


@dataclass
class FakeKafka:
    """Acknowledges at once unless it is away; refuses some records by their place in the order of sending."""

    away: bool = False
    refused: set[int] = field(default_factory=set)
    received: list[bytes] = field(default_factory=list)
    pending: list[FakeDelivery] = field(default_factory=list)
    connections: int = 0

    def __call__(self, _config: Settings, _linger_seconds: float) -> "FakeKafka":
        if self.away:
            raise BrokerUnavailable("Kafka is away")
        self.connections += 1
        return self

    def send(self, _key: bytes, value: bytes) -> FakeDelivery:
        if self.away:
            self.pending.append(FakeDelivery())
            return self.pending[-1]
        self.received.append(value)
        if len(self.received) - 1 in self.refused:
            return FakeDelivery(True, RecordRefused("too large"))
        return FakeDelivery(True)

    def check(self, delivery: FakeDelivery) -> None:
        if delivery.exception:
            raise delivery.exception

    def close(self, timeout_seconds: float) -> None:
        self.pending.clear()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    fake = FakeKafka()
    monkeypatch.setattr(module, "Outlet", fake)
    return fake


def test_producer_ends_when_all_is_acknowledged(kafka, clock):
    producer = Producer(Settings(), rate=100, count=301, clock=clock)

    producer.run()

    assert (producer.tally.sent, producer.tally.acknowledged, producer.tally.failed) == (301, 301, 0)
    assert clock.seconds == pytest.approx(103.0, abs=0.02)


def test_refused_record_is_tried_again_among_other_neighbours(kafka, clock):
    kafka.refused = {0, 1}
    producer = Producer(Settings(), rate=0, count=10, clock=clock)

    producer.run()

    assert (producer.tally.acknowledged, producer.tally.failed) == (10, 0)
    assert len(set(kafka.received)) == 10


def test_record_that_is_refused_three_times_is_said_to_be_lost(kafka, clock, caplog):
    kafka.refused = {0, 1, 2}
    producer = Producer(Settings(), rate=0, count=1, clock=clock)

    producer.run()

    assert (producer.tally.acknowledged, producer.tally.failed) == (0, 1)
    assert "A record is lost: too large" in caplog.text


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
