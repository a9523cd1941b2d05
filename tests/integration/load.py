"""A steady load of messages, and the audit that ends each drill: what Kafka acknowledged is stored, once."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from conftest import Database
from kafka import KafkaProducer
from messages import message
from servers import KafkaServer, wait_until

RATE = 2000
BAD_ONE_IN = 97


class Load(threading.Thread):
    """Sends valid and some bad messages at a steady rate until stopped; counts what Kafka acknowledged."""

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        super().__init__(daemon=True)
        self._topic = topic
        self._producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
        )
        self._ended = threading.Event()
        self.valid = 0
        self.bad = 0

    def run(self) -> None:
        started, sent, futures = time.monotonic(), 0, []
        while not self._ended.is_set():
            due = int((time.monotonic() - started) * RATE)
            for number in range(sent, due):
                is_bad = number % BAD_ONE_IN == 0
                value = b"bad %d" % number if is_bad else message()
                futures.append((is_bad, self._producer.send(self._topic, value, partition=number % 4)))
            sent = due
            time.sleep(0.01)
        for is_bad, future in futures:
            future.get(60)
            self.bad += is_bad
            self.valid += not is_bad
        self._producer.close()

    def stop(self) -> None:
        self._ended.set()
        self.join(90)
        assert not self.is_alive()


@contextmanager
def load(kafka: KafkaServer, topic: str) -> Iterator[Load]:
    thread = Load(kafka, topic)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


def assert_exactly_once(database: Database, sent: Load, timeout_seconds: float = 60) -> None:
    """Waits until everything is consumed, then counts."""
    total = sent.valid + sent.bad
    assert total > RATE

    wait_until(
        lambda: (database.value("SELECT sum(next_offset) FROM lambda.stream_offsets") or 0) >= total,  # type: ignore[operator]
        timeout_seconds,
        f"{total} messages consumed",
    )

    assert database.count("transactions") == sent.valid
    assert database.value("SELECT count(DISTINCT transaction_id) FROM lambda.transactions") == sent.valid
    assert database.count("dead_letters") == sent.bad
    assert database.query("SELECT * FROM lambda.stream_gaps") == []
    sums = "sum(next_offset), sum(stored_count), sum(duplicate_count), sum(dead_letter_count), sum(gap_count)"
    row = database.query(f"SELECT {sums} FROM lambda.stream_offsets")[0]
    assert tuple(map(int, map(str, row))) == (total, sent.valid, 0, sent.bad, 0)
