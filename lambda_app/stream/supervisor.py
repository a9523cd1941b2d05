"""The parent of the consumer's worker processes: starts them, restarts them, speaks to systemd for them.

It holds no connection itself. When it is killed the kernel ends its workers.
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

from lambda_app import settings
from lambda_app.core.backoff import Backoff
from lambda_app.core.events import Event
from lambda_app.core.metrics.kinds import Sample
from lambda_app.core.stream.counts import Counts
from lambda_app.core.stream.progress import Progress, consumer_samples
from lambda_app.errors import AccessRefused, InvalidConfiguration, LambdaError
from lambda_app.host import exposition, notify
from lambda_app.host.clock import Clock, SystemClock
from lambda_app.settings import Settings
from lambda_app.stream.worker import Worker

logger = logging.getLogger(__name__)

_FORK = multiprocessing.get_context("fork")
_PR_SET_PDEATHSIG = 1
# Parameters of mallopt: freed memory up to these sizes stays with the process, instead of being asked for with each
# chunk.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_KEPT_BYTES = 128 * 1024 * 1024, 32 * 1024 * 1024
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass
class _Slot:
    """A worker's place: outlives the processes that fill it."""

    number: int
    backoff: Backoff = field(default_factory=lambda: Backoff(0.2, settings.BACKOFF_CAP_SECONDS))
    process: BaseProcess | None = None
    pipe: Connection | None = None
    progress: Progress = field(default_factory=Progress)
    heard_at: float = 0.0
    start_at: float = 0.0


class Supervisor:
    """Runs `count` workers until SIGTERM or SIGINT.

    `member` begins their names in the consumer group, and no other supervisor may have it; by default the host's name.
    What they count is served at `metrics_address`, if given.
    """

    def __init__(
        self,
        config: Settings,
        count: int,
        clock: Clock | None = None,
        member: str | None = None,
        metrics_address: str = "",
    ) -> None:
        self._config = config
        self._member = member or socket.gethostname()
        self._clock = clock or SystemClock()
        self._metrics_address = metrics_address
        self._slots = [_Slot(number) for number in range(1, count + 1)]
        # What processes counted that ended, and how many those were.
        self._ended = Counts()
        self._worker_ends = 0
        # For scrapes, from another thread: replaced as a whole.
        self._samples: Sequence[Sample] = ()
        self._is_stopping = False
        self._is_ready = False
        self._said_at = self._clock.monotonic()
        self._stored_then = 0
        self._dead_letters_then: Counter[str] = Counter()
        self._fed_at = 0.0

    def run(self) -> None:
        """Blocks until stopped. Raises the error of a worker that only a person can mend."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        try:
            # The first workers before the thread that answers scrapes: a process with one thread forks best.
            self._start_missing()
            if self._metrics_address:
                self._note_samples()
                exposition.serve(self._metrics_address, lambda: self._samples)
            while not self._is_stopping:
                self._start_missing()
                self._listen(settings.STATUS_SECONDS / 2)
                self._tell_systemd()
        finally:
            self._drain()

    def _note_samples(self) -> None:
        progress = {slot.number: slot.progress for slot in self._slots}
        self._samples = tuple(consumer_samples(progress, self._ended, self._worker_ends))

    def _stop(self, *_: object) -> None:
        self._is_stopping = True
        self._signal_workers(signal.SIGTERM)

    def _start_missing(self) -> None:
        now = self._clock.monotonic()
        for slot in self._slots:
            if slot.process is None and now >= slot.start_at:
                self._start(slot)
                slot.heard_at = now

    def _start(self, slot: _Slot) -> None:
        receiver, sender = _FORK.Pipe(duplex=False)
        name = f"{self._member}-{slot.number}"
        process = _FORK.Process(target=_run_worker, args=(self._config, name, sender, os.getpid()))
        # Signals are blocked until the child has its own handlers, so that none is lost in between.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        process.start()
        slot.process, slot.pipe = process, receiver
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        sender.close()

    def _listen(self, timeout_seconds: float) -> None:
        pipes = {slot.pipe: slot for slot in self._slots if slot.pipe}
        for pipe in wait(list(pipes), timeout_seconds) if pipes else []:
            slot = pipes[cast(Connection, pipe)]
            try:
                message = cast(Connection, pipe).recv()
            except (EOFError, OSError):
                self._bury(slot)
                continue
            if isinstance(message, LambdaError):
                raise message
            slot.progress = message
            slot.heard_at = self._clock.monotonic()
            if message.is_ready:
                slot.backoff.reset()
        if not pipes:
            self._clock.sleep(timeout_seconds)

    def _bury(self, slot: _Slot) -> None:
        if slot.process is None or slot.pipe is None:
            return
        slot.process.join()
        slot.pipe.close()
        status = slot.process.exitcode
        self._ended += slot.progress.counts
        self._worker_ends += not self._is_stopping
        slot.process, slot.pipe, slot.progress = None, None, Progress()
        if not self._is_stopping:
            delay = slot.backoff.next_delay()
            slot.start_at = self._clock.monotonic() + delay
            logger.error(
                "Worker %s ended with status %s: starting it again in %.1f s",
                slot.number,
                status,
                delay,
                extra=Event.WORKER_ENDED.fields(worker=slot.number, status=status),
            )

    def _tell_systemd(self) -> None:
        now = self._clock.monotonic()
        if not self._is_ready and all(slot.progress.is_ready for slot in self._slots):
            self._is_ready = True
            notify.ready()
            count = len(self._slots)
            logger.info("Ready: %s workers in the group", count, extra=Event.CONSUMER_READY.fields(workers=count))
        if now - self._said_at >= settings.STATUS_SECONDS:
            notify.status(self._status(now))
            if self._metrics_address:
                self._note_samples()
            self._said_at, self._stored_then = now, self._stored()
            self._tell_dead_letters()
        interval = notify.watchdog_seconds()
        if interval and now - self._fed_at >= interval / 4 and self._all_alive(now):
            self._fed_at = now
            notify.watchdog()

    def _all_alive(self, now: float) -> bool:
        # A slot without a process waits for its restart; that does not count as a hang.
        return all(
            slot.process is None or now - slot.heard_at < settings.HEARTBEAT_TIMEOUT_SECONDS for slot in self._slots
        )

    def _status(self, now: float) -> str:
        rate = (self._stored() - self._stored_then) / (now - self._said_at)
        lag = sum(slot.progress.lag_records for slot in self._slots)
        partitions = sum(len(slot.progress.lag) for slot in self._slots)
        waiting = sorted({slot.progress.waiting_for for slot in self._slots} - {""})
        text = f"{rate:,.0f} rows/s, lag {lag:,}, {partitions} partitions, {len(self._slots)} workers"
        return f"{text}; waiting: {waiting[0]}" if waiting else text

    def _stored(self) -> int:
        return self._ended.stored + sum(slot.progress.counts.stored for slot in self._slots)

    def _tell_dead_letters(self) -> None:
        """One line for all messages that became dead letters since the last one."""
        now = sum((slot.progress.counts.dead_letters for slot in self._slots), self._ended.dead_letters)
        new, self._dead_letters_then = now - self._dead_letters_then, now
        if new:
            logger.warning(
                "Messages that became dead letters: %d (%s); lambda-app dead-letters list shows them",
                new.total(),
                ", ".join(f"{reason} {count}" for reason, count in new.most_common()),
                extra=Event.DEAD_LETTERS_ADDED.fields(dead_letters=new.total()),
            )

    def _drain(self) -> None:
        notify.stopping()
        self._is_stopping = True
        self._signal_workers(signal.SIGTERM)
        deadline = self._clock.monotonic() + settings.DRAIN_TIMEOUT_SECONDS
        for slot in self._slots:
            if slot.process:
                slot.process.join(max(0.0, deadline - self._clock.monotonic()))
        self._signal_workers(signal.SIGKILL)
        for slot in self._slots:
            if slot.process:
                slot.process.join()

    def _signal_workers(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.process and slot.process.pid and slot.process.exitcode is None:
                try:
                    os.kill(slot.process.pid, number)
                except ProcessLookupError:
                    logger.debug(
                        "Worker %s was gone before the signal",
                        slot.number,
                        extra=Event.WORKER_GONE.fields(worker=slot.number),
                    )


def _run_worker(config: Settings, name: str, pipe: Connection, parent: int) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    stopped: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if os.getppid() != parent:
        # The supervisor died before prctl could make its death end this process.
        sys.exit(1)
    worker = Worker(config, name, SystemClock(), pipe.send, lambda: bool(stopped))
    try:
        _give_errors_to(pipe.send, worker.run)
    finally:
        # multiprocessing ends a process without this: lines that were held back would be lost.
        logging.shutdown()


def _give_errors_to(send: Callable[[object], None], run: Callable[[], None]) -> None:
    try:
        run()
    except (AccessRefused, InvalidConfiguration) as error:
        # Trying again cannot help: the supervisor logs this error once and ends.
        send(error)
    except LambdaError as error:
        logger.error("%s", error, extra=Event.WORKER_FAILED.fields())  # noqa: TRY400 - one clear line
        sys.exit(error.exit_status)
    except Exception:
        logger.exception("The worker failed", extra=Event.WORKER_CRASHED.fields())
        sys.exit(1)
