"""What the supervisor tells systemd, and when it stops feeding the watchdog."""

import logging
import multiprocessing
import os
import signal
import socket
import time
from collections import Counter

import pytest

from lambda_app import settings
from lambda_app.core.events import EVENT_FIELD, Event
from lambda_app.core.stream.counts import Counts
from lambda_app.core.stream.progress import PartitionLag, Progress
from lambda_app.errors import AccessRefused
from lambda_app.host import notify
from lambda_app.host.logs import BurstHandler
from lambda_app.settings import Settings
from lambda_app.stream import supervisor
from lambda_app.stream.supervisor import Supervisor
from tests.support.clock import MovedClock


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


def lags(partitions: int, records: int) -> dict[int, PartitionLag]:
    return {number: PartitionLag(0, records if number == 0 else 0, 0.0) for number in range(partitions)}


@pytest.fixture
def watched(clock: MovedClock) -> Supervisor:
    """A supervisor of two workers that have just been heard of."""
    made = Supervisor(Settings(), 2, clock)
    for slot in made._slots:
        slot.process = multiprocessing.Process()
        slot.heard_at = clock.seconds
    return made


def test_status_sums_the_workers(watched: Supervisor, clock: MovedClock) -> None:
    watched._slots[0].progress = Progress(True, lags(6, 1500), Counts(3000))
    watched._slots[1].progress = Progress(True, lags(6, 20), Counts(1000))
    watched._ended = Counts(500)

    assert watched._status(clock.seconds + 2) == "2,250 rows/s, lag 1,520, 12 partitions, 2 workers"


def test_status_says_what_is_waited_for(watched: Supervisor, clock: MovedClock) -> None:
    watched._slots[1].progress.waiting_for = "PostgreSQL is away: refused"

    assert watched._status(clock.seconds + 1).endswith("; waiting: PostgreSQL is away: refused")


def test_dead_letters_of_all_workers_are_one_line_a_second(
    watched: Supervisor, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(40):
        clock.seconds += 0.25
        for slot in watched._slots:
            slot.progress.counts.dead_letters += Counter({"amount": 75, "not_json": 50})
        watched._tell_systemd()

    told = [record for record in caplog.records if getattr(record, EVENT_FIELD, None) is Event.DEAD_LETTERS_ADDED]
    assert len(told) == 10
    assert sum(vars(record)["dead_letters"] for record in told) == 10_000
    assert "1000 (amount 600, not_json 400)" in told[1].getMessage()


def test_dead_letters_of_a_worker_that_ended_are_told_once(
    watched: Supervisor, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    watched._slots[0].progress.counts.dead_letters += Counter({"amount": 3})
    clock.seconds += 2
    watched._tell_systemd()
    watched._ended += watched._slots[0].progress.counts
    watched._slots[0].progress = Progress()
    clock.seconds += 2
    watched._tell_systemd()

    assert caplog.text.count("became dead letters") == 1


def test_watchdog_is_fed_only_while_every_worker_speaks(
    watched: Supervisor, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[float] = []
    monkeypatch.setattr(notify, "watchdog", lambda: fed.append(clock.seconds))
    monkeypatch.setattr(notify, "watchdog_seconds", lambda: 20.0)

    for _ in range(60):
        clock.seconds += 1
        watched._slots[0].heard_at = clock.seconds
        watched._tell_systemd()

    # The second worker was heard of at 100.
    assert fed[:3] == [101, 106, 111]
    assert max(fed) < 100 + settings.HEARTBEAT_TIMEOUT_SECONDS


def test_ready_is_said_once_and_only_when_every_worker_is(watched: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(notify, "ready", lambda: said.append("READY"))

    watched._slots[0].progress.is_ready = True
    watched._tell_systemd()
    assert said == []

    watched._slots[1].progress.is_ready = True
    watched._tell_systemd()
    watched._tell_systemd()
    assert said == ["READY"]


class FailingWorker:
    """In the place of a worker whom the database refuses."""

    def __init__(self, *_: object) -> None: ...

    def run(self) -> None:
        raise AccessRefused("wrong password")


class NamedWorker(FailingWorker):
    """In the place of one that is refused, and says its name."""

    def __init__(self, config: Settings, name: str, *_: object) -> None:
        self.name = name

    def run(self) -> None:
        raise AccessRefused(self.name)


class CrashingWorker(FailingWorker):
    """In the place of one that crashes at once."""

    def run(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class ChattyWorker(FailingWorker):
    """In the place of one that ends in the middle of a burst."""

    def run(self) -> None:
        for number in range(5):
            logging.getLogger("worker").warning("again %d", number, extra=Event.READING_AGAIN.fields())
        super().run()


class DeafWorker(FailingWorker):
    """In the place of one that does not heed SIGTERM."""

    def run(self) -> None:
        time.sleep(60)


def test_error_that_no_waiting_mends_ends_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "Worker", FailingWorker)

    with pytest.raises(AccessRefused, match="wrong password"):
        Supervisor(Settings(), 2).run()


@pytest.mark.parametrize(("member", "name"), [("stream-7", "stream-7-1"), (None, f"{socket.gethostname()}-1")])
def test_workers_are_named_after_the_member_or_else_the_host(
    member: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "Worker", NamedWorker)

    with pytest.raises(AccessRefused, match=f"^{name}$"):
        Supervisor(Settings(), 1, member=member).run()


def test_worker_that_crashes_again_and_again_is_started_more_and_more_rarely(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "Worker", CrashingWorker)
    made = Supervisor(Settings(), 1)
    deadline = time.monotonic() + 2

    while time.monotonic() < deadline:
        made._start_missing()
        made._listen(0.05)
    made._drain()

    assert 2 <= caplog.text.count("ended with status -9: starting it again") <= 6


def test_worker_that_ends_says_what_was_held_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "Worker", ChattyWorker)
    handler = BurstHandler(logging.StreamHandler())
    logging.getLogger().addHandler(handler)

    try:
        with pytest.raises(AccessRefused):
            Supervisor(Settings(), 1).run()
    finally:
        logging.getLogger().removeHandler(handler)

    assert capfd.readouterr().err == "again 0\nagain 4 (and 3 more like it)\n"


def test_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "Worker", DeafWorker)
    monkeypatch.setattr(settings, "DRAIN_TIMEOUT_SECONDS", 0.3)
    made = Supervisor(Settings(), 2)
    made._start_missing()
    processes = [slot.process for slot in made._slots]

    started = time.monotonic()
    made._drain()

    assert time.monotonic() - started < 5
    assert [process.exitcode for process in processes if process] == [-signal.SIGKILL] * 2
