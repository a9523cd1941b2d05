"""Loads of messages, each with its own truth, and the audit that ends each drill: what Kafka has is stored, once."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from kafka import KafkaProducer
from kafka.producer.future import FutureRecordMetadata

from tests.support.fixtures import Database
from tests.support.kafka_server import KAFKA_LIBS, QUICK_START, KafkaServer
from tests.support.messages import message
from tests.support.processes import end_with_parent, wait_until
from tests.support.program import Program

RATE = 2000
OWN_RATE = 3000
BAD_ONE_IN = 97
# Not acknowledged yet: while Kafka is away no more is sent, and it is not made up for.
OUTSTANDING = 20_000
NEVER_MS = 2**31 - 1


class Sent:
    """What Kafka acknowledged, once the load was stopped."""

    # Whether it may be in the topic twice.
    repeats = False

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        self.kafka = kafka
        self.topic = topic
        self.valid = 0
        # What cannot be valid, by partition and offset.
        self.letters: dict[tuple[int, int], bytes] = {}

    @property
    def bad(self) -> int:
        return len(self.letters)


class Load(Sent, threading.Thread):
    """Sends valid and some bad messages at a steady rate until stopped."""

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        Sent.__init__(self, kafka, topic)
        threading.Thread.__init__(self, daemon=True)
        self._producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            delivery_timeout_ms=NEVER_MS,
        )
        self._ended = threading.Event()
        self._unsettled: deque[tuple[bytes | None, FutureRecordMetadata]] = deque()

    def run(self) -> None:
        number, credit, then = 0, 0.0, time.monotonic()
        while not self._ended.is_set():
            now = time.monotonic()
            credit, then = min(credit + RATE * (now - then), OUTSTANDING - len(self._unsettled)), now
            for _ in range(int(credit)):
                bad = b"bad %d" % number if number % BAD_ONE_IN == 0 else None
                future = self._producer.send(self.topic, bad or message(), partition=number % 4)
                self._unsettled.append((bad, future))
                number += 1
            credit -= int(credit)
            while self._unsettled and self._unsettled[0][1].is_done:
                self._settle()
            time.sleep(0.01)
        while self._unsettled:
            self._settle()
        self._producer.close()

    def stop(self) -> None:
        self._ended.set()
        self.join(90)
        assert not self.is_alive()

    def _settle(self) -> None:
        bad, future = self._unsettled.popleft()
        metadata = future.get(60)
        if bad:
            self.letters[metadata.partition, metadata.offset] = bad
        else:
            self.valid += 1


class JavaLoad(Sent):
    """Kafka's own VerifiableProducer: numbers as messages, and its word on where Kafka has them."""

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        super().__init__(kafka, topic)
        self._directory = tempfile.TemporaryDirectory(prefix="lambda-load-")
        config = Path(self._directory.name, "config")
        # By default it tries once: then nobody knows what became of a message that was on its way.
        config.write_text(
            f"enable.idempotence=true\nretries={NEVER_MS}\ndelivery.timeout.ms={NEVER_MS}\nmax.block.ms={NEVER_MS}\n",
            encoding="utf-8",
        )
        self._events = Path(self._directory.name, "events")
        command = ["java", *QUICK_START, "-cp", f"{KAFKA_LIBS}/*", "org.apache.kafka.tools.VerifiableProducer"]
        options = {
            "bootstrap-server": kafka.bootstrap_servers,
            "topic": topic,
            "throughput": str(RATE),
            "command-config": str(config),
        }
        with self._events.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in options.items())],
                stdout=output,
                stderr=subprocess.DEVNULL,
                preexec_fn=end_with_parent,
            )
        wait_until(lambda: self._events.stat().st_size > 100_000, what="the first messages of VerifiableProducer")

    def stop(self) -> None:
        try:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            for line in self._events.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                assert event["name"] != "producer_send_error", line
                if event["name"] == "producer_send_success":
                    self.letters[event["partition"], event["offset"]] = event["value"].encode()
        finally:
            self._process.kill()
            self._directory.cleanup()


class OwnLoad(Sent):
    """`lambda-app produce`, and its final tally. A connection that breaks may put a message into the topic twice."""

    repeats = True

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        super().__init__(kafka, topic)
        environment = {
            **os.environ,
            **kafka.environment(topic),
        }
        self._program = Program(environment, "produce", "--rate", str(OWN_RATE))
        self._program.wait_until_ready()

    def stop(self) -> None:
        with self._program as program:
            assert program.terminate() == 0, program.text
            tally = re.search(r"sent (\d+), acknowledged (\d+), failed 0, not acknowledged 0", program.text)
            assert tally, program.text
            assert tally[1] == tally[2], program.text
            self.valid = int(tally[1])


def load(kafka: KafkaServer, topic: str) -> AbstractContextManager[Load]:
    thread = Load(kafka, topic)
    thread.start()
    return _stopped_at_the_end(thread)


def java_load(kafka: KafkaServer, topic: str) -> AbstractContextManager[JavaLoad]:
    return _stopped_at_the_end(JavaLoad(kafka, topic))


def own_load(kafka: KafkaServer, topic: str) -> AbstractContextManager[OwnLoad]:
    return _stopped_at_the_end(OwnLoad(kafka, topic))


AnyLoad = TypeVar("AnyLoad", Load, JavaLoad, OwnLoad)


@contextmanager
def _stopped_at_the_end(sent: AnyLoad) -> Iterator[AnyLoad]:
    try:
        yield sent
    finally:
        sent.stop()


def assert_exactly_once(database: Database, sent: Sent, timeout_seconds: float = 60) -> None:
    """Waits until everything is consumed, then counts."""
    total = sent.valid + sent.bad
    assert total > RATE
    ends = sent.kafka.log_ends(sent.topic)
    repeated = sum(ends.values()) - total
    assert repeated >= 0 if sent.repeats else repeated == 0, f"{ends} in the log, {total} acknowledged"

    wait_until(lambda: next_offsets(database) == ends, timeout_seconds, f"{total} messages consumed")

    sums = "sum(stored_count), sum(duplicate_count), sum(dead_letter_count), sum(gap_count)"
    stored, duplicate, dead_letters, gaps = database.query(f"SELECT {sums} FROM lambda.stream_offsets")[0]
    found = {
        "rows": database.count("transactions"),
        "ids": database.value("SELECT count(DISTINCT transaction_id) FROM lambda.transactions"),
        "dead letters": database.count("dead_letters"),
        "gaps": database.count("stream_gaps"),
        "counted": (stored, duplicate, dead_letters, gaps),
    }
    expected = {
        "rows": sent.valid,
        "ids": sent.valid,
        "dead letters": sent.bad,
        "gaps": 0,
        "counted": (sent.valid, repeated, sent.bad, 0),
    }
    assert found == expected, f"{found} instead of {expected}"
    rows = database.query('SELECT partition, "offset", raw FROM lambda.dead_letters')
    letters = {(partition, offset): bytes(raw) for partition, offset, raw in rows}  # type: ignore[call-overload]
    assert letters == sent.letters, f"other dead letters: {set(letters.items()) ^ set(sent.letters.items())}"


def next_offsets(database: Database) -> dict[int, int]:
    """Where the consumer stands in each partition."""
    rows = database.query("SELECT partition, next_offset FROM lambda.stream_offsets")
    return {int(str(partition)): int(str(offset)) for partition, offset in rows}


def wait_for_offsets(database: Database, total: int, timeout_seconds: float = 30) -> None:
    wait_until(
        lambda: database.value("SELECT sum(next_offset) FROM lambda.stream_offsets") == total,
        timeout_seconds,
        f"{total} messages consumed",
    )
