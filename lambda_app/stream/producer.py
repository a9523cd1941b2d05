"""The producer: generated transactions into the topic, at a steady rate, each acknowledged by Kafka.

While Kafka is away it waits, and keeps what is not acknowledged: bounded, and sent again to the next connection.
That can put a record into the topic twice; its transaction_id is the same, so it is stored once. What the rate missed
meanwhile is not made up for.
"""

import logging
import secrets
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import NoReturn

from lambda_app import settings
from lambda_app.broker.sending import Outlet, Record
from lambda_app.core.backoff import Backoff
from lambda_app.core.events import Event
from lambda_app.core.stream.rate import Pace
from lambda_app.core.stream.tally import Tally
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.transaction.identifiers import PROCESS_BITS, TransactionIds
from lambda_app.errors import BrokerUnavailable, RecordRefused
from lambda_app.host import notify
from lambda_app.host.clock import Clock
from lambda_app.settings import Settings

logger = logging.getLogger(__name__)

# The most records between two looks at acknowledgements and signals.
RECORDS_PER_TURN = 500
# At a steady rate records are sent together, ten times a second: sent alone a record costs as much as ten.
PAUSE_SECONDS = 0.1
# The pause at full speed when no more records may be on their way: short enough that Kafka always has some.
FULL_SPEED_PAUSE_SECONDS = 0.02


class Producer:
    """Sends `count` records (None: without end), `rate` a second (0: as fast as possible), until it is told to stop."""

    def __init__(
        self,
        config: Settings,
        rate: float,
        count: int | None,
        clock: Clock,
        compression: str = settings.PRODUCE_COMPRESSION,
    ) -> None:
        self._config = config
        self._compression = compression
        self._rate = rate
        self._count = count
        self._clock = clock
        self._generator = TransactionGenerator(
            draw_pools(), TransactionIds(secrets.randbits(PROCESS_BITS)), seed=secrets.randbits(64)
        )
        self._stop_deadline: float | None = None
        self._outlet: Outlet | None = None
        # Records to be sent, for the first time or again.
        self._waiting: deque[Record] = deque()
        # Records that Kafka refused, perhaps because of another: the client fails everything on its way along with a
        # bad record. Each is sent again alone.
        self._suspects: deque[Record] = deque()
        self._on_trial: Record | None = None
        self._silent_since = 0.0
        self._report = _Report(clock)
        self.tally = Tally()

    def stop(self) -> None:
        """No new records from now on; may be called by a signal handler."""
        self._stop_deadline = self._clock.monotonic() + settings.PRODUCE_DRAIN_SECONDS

    @property
    def unacknowledged(self) -> int:
        """Records on their way or about to be."""
        # A scrape asks from another thread, and the outlet may be closed meanwhile.
        outlet = self._outlet
        return len(self._waiting) + len(self._suspects) + (outlet.outstanding if outlet else 0)

    def run(self) -> None:
        """Returns when all is sent and acknowledged, or when the time to do so after `stop` is over."""
        backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)
        linger = settings.PRODUCE_LINGER_SECONDS if self._rate else settings.PRODUCE_LINGER_FULL_SPEED_SECONDS
        while not self._is_over():
            try:
                self._outlet = Outlet(self._config, linger, self._compression)
                try:
                    self._serve(self._outlet, backoff)
                finally:
                    self._close(self._outlet)
            except BrokerUnavailable as error:
                self.tally.retries += 1
                self._wait(backoff.next_delay(), error)

    def _close(self, outlet: Outlet) -> None:
        """Takes back what is not acknowledged."""
        self._outlet = None
        unsettled = outlet.unsettled()
        (self._waiting if self._on_trial is None else self._suspects).extend(unsettled)
        self._on_trial = None
        outlet.close(timeout_seconds=0 if unsettled else 5)

    def _is_over(self) -> bool:
        if self._stop_deadline is not None:
            return not self.unacknowledged or self._clock.monotonic() > self._stop_deadline
        return self._is_all_sent() and not self.unacknowledged

    def _is_all_sent(self) -> bool:
        return self._count is not None and self.tally.sent >= self._count

    def _wait(self, seconds: float, error: BrokerUnavailable) -> None:
        logger.warning("Waiting for Kafka: %s", error, extra=Event.PEER_AWAY.fields(peer="kafka"))
        notify.status(f"waiting for Kafka: {error}")
        deadline = self._clock.monotonic() + seconds
        while self._clock.monotonic() < deadline and not self._is_over():
            notify.watchdog()
            self._clock.sleep(PAUSE_SECONDS)

    def _serve(self, outlet: Outlet, backoff: Backoff) -> None:
        """Sends over one connection. Raises BrokerUnavailable when another one may do better."""
        logger.info(
            "Connected to Kafka at %s",
            self._config.kafka_bootstrap_servers,
            extra=Event.PRODUCER_CONNECTED.fields(),
        )
        notify.ready()
        self._silent_since = self._clock.monotonic()
        pace = Pace(self._rate, self._clock.monotonic()) if self._rate else None
        while not self._is_over():
            if self._settle(outlet):
                backoff.reset()
            silence = self._clock.monotonic() - self._silent_since
            if silence > settings.PRODUCE_STALL_SECONDS:
                raise BrokerUnavailable(f"no acknowledgement for {silence:.0f} s, {self.unacknowledged} records wait")
            self._report.tick(self.tally, self.unacknowledged)
            self._generate(pace)
            has_sent = silence < settings.PRODUCE_HOLD_SECONDS and self._send_waiting(outlet)
            is_more_due = pace is None or pace.wait_seconds(self._clock.monotonic()) == 0
            if not (has_sent and is_more_due):
                self._clock.sleep(PAUSE_SECONDS if pace else FULL_SPEED_PAUSE_SECONDS)

    def _room(self) -> int:
        return min(RECORDS_PER_TURN, settings.PRODUCE_OUTSTANDING_RECORDS - self.unacknowledged)

    def _generate(self, pace: Pace | None) -> None:
        if self._stop_deadline is not None:
            return
        room = self._room() if self._count is None else min(self._room(), self._count - self.tally.sent)
        count = pace.take(self._clock.monotonic(), room) if pace else room
        if count > 0:
            transactions = self._generator.generate(self._milliseconds(), count)
            self._waiting += [(each.account_id.encode(), render_message(each)) for each in transactions]
            self.tally.sent += count

    def _send_waiting(self, outlet: Outlet) -> bool:
        """Whether there was anything to send."""
        if self._suspects or self._on_trial:
            self._send_suspect(outlet)
            return False
        count = min(RECORDS_PER_TURN, len(self._waiting))
        if count:
            outlet.send(islice(self._waiting, count), self._milliseconds())
            for _ in range(count):
                self._waiting.popleft()
        return count > 0

    def _send_suspect(self, outlet: Outlet) -> None:
        if not outlet.outstanding:
            self._on_trial = self._suspects[0]
            outlet.send([self._on_trial], self._milliseconds())
            self._suspects.popleft()

    def _settle(self, outlet: Outlet) -> bool:
        """Counts the records whose fate is known; whether there were any. Raises BrokerUnavailable after a refusal."""
        settled = outlet.settle()
        self.tally.acknowledged += settled.acknowledged
        if settled.refused:
            self._note_refusal(settled.refused)
        if settled.acknowledged or not outlet.outstanding:
            self._silent_since = self._clock.monotonic()
        if not outlet.outstanding:
            self._on_trial = None
        return settled.acknowledged > 0

    def _note_refusal(self, refused: Sequence[tuple[Record, RecordRefused]]) -> NoReturn:
        record, refusal = refused[0]
        if record == self._on_trial:
            self.tally.failed += 1
            logger.error("A record is lost: %s: %.200s", refusal, record[1].decode(), extra=Event.RECORD_LOST.fields())
        else:
            self._suspects.extend(each for each, _ in refused)
        raise BrokerUnavailable(f"{refusal}; {len(self._suspects)} records go again, one by one")

    def _milliseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


class _Report:
    """The STATUS line and the watchdog, once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._time = clock.monotonic()
        self._acknowledged = 0

    def tick(self, tally: Tally, unacknowledged: int) -> None:
        now = self._clock.monotonic()
        elapsed = now - self._time
        if elapsed < settings.STATUS_SECONDS:
            return
        rate = (tally.acknowledged - self._acknowledged) / elapsed
        lost = f", {tally.failed:,} lost" if tally.failed else ""
        notify.status(f"{rate:,.0f} records/s, {tally.acknowledged:,} in all, {unacknowledged:,} outstanding{lost}")
        notify.watchdog()
        self._time, self._acknowledged = now, tally.acknowledged
