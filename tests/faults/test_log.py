"""The log changes behind the consumer's back: it is noticed, recorded as a gap, and nothing is skipped in silence.

Each drill ends with the audit: what was read before and what stands in the log now is stored, once, a bad message of
each load as a dead letter; and `lambda-app verify` accounts for every offset.
"""

import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaProducer

from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import next_offsets
from tests.support.messages import message, messages
from tests.support.processes import wait_until
from tests.support.program import run_program

# Messages of a log before it changes.
COUNT = 30_000 if os.environ.get("LAMBDA_TEST_LONG") else 3000
# Where the consumer is meanwhile: gone, working, or frozen until all is over.
PLACES = ["away", "running", "asleep"]

CUT = "the log was cut off below our offset {}"
FILLED = "the log was cut off and filled again: the record before our offset {} is another"
RECREATED = "the topic was deleted and recreated"
REMOVED = "removed by retention before it was read"

Gap = tuple[object, object, object, object]


class Drill:
    """A topic, its consumer, and the ids that it must store."""

    def __init__(self, database: Database, kafka: KafkaServer, topic: str) -> None:
        self.kafka = kafka
        self.topic = topic
        # Of each partition, in the order of their offsets as they were sent.
        self.sent: dict[int, list[str]] = defaultdict(list)
        self.expected: set[str] = set()
        self._database = database
        self.consumer = self._start()

    def fill(self, counts: dict[int, int]) -> None:
        """Sends so many messages to each partition, the first one a bad one."""
        for partition, count in counts.items():
            bad = f"bad {len(self.expected)}"
            values = list(messages(count - 1))
            self.kafka.produce(self.topic, [bad.encode(), *values], partition)
            ids = [bad, *(json.loads(value)["transaction_id"] for value in values)]
            self.sent[partition] += ids
            self.expected |= set(ids)

    @contextmanager
    def consumer_is(self, place: str) -> Iterator[None]:
        """Lets it catch up, then be there while the block runs."""
        self.wait_until_consumed()
        workers = self.consumer.workers()
        if place == "away":
            assert self.consumer.terminate() == 0
        elif place == "asleep":
            self._signal(workers, signal.SIGSTOP)
        yield
        if place == "away":
            self.end()
            self.consumer = self._start()
        elif place == "asleep":
            self._signal(workers, signal.SIGCONT)

    def wait_until_consumed(self) -> None:
        ends = self.kafka.log_ends(self.topic)
        wait_until(lambda: next_offsets(self._database) == ends, 60, f"{ends} consumed")

    def stored_count(self) -> int:
        return self._database.count("transactions") + self._database.count("dead_letters")

    def gaps(self, at_least: int = 0) -> list[Gap]:
        """What is recorded, when so many are: (partition, from, to, reason)."""
        query = "SELECT partition, from_offset, to_offset, reason FROM lambda.stream_gaps ORDER BY 1, id"
        wait_until(lambda: self._database.count("stream_gaps") >= at_least, 60, f"{at_least} gaps")
        return [(row[0], row[1], row[2], row[3]) for row in self._database.query(query)]

    def audit(self, gaps: list[Gap]) -> None:
        """Waits for the end, then counts."""
        assert self.gaps(len(gaps)) == gaps
        self.wait_until_consumed()
        assert self.gaps() == gaps
        ids = "SELECT transaction_id FROM lambda.transactions"
        bad = "SELECT convert_from(raw, 'UTF8') FROM lambda.dead_letters"
        stored = [str(row[0]) for row in self._database.query(f"{ids} UNION ALL {bad}")]
        assert len(stored) == len(set(stored))
        assert set(stored) == self.expected
        result = run_program(self._environment(), "verify")
        assert result.returncode == 0, result.stdout + result.stderr
        assert self.consumer.text.count("Gap in ") == len(gaps)
        assert "Traceback" not in self.consumer.text
        assert self.consumer.terminate() == 0

    def end(self) -> None:
        self.consumer.__exit__(None, None, None)

    def _environment(self) -> dict[str, str]:
        kafka = self.kafka.environment(self.topic)
        return self._database.environment | kafka

    def _start(self) -> ConsumerProcess:
        consumer = ConsumerProcess(self._database.environment, self.kafka.bootstrap_servers, self.topic)
        consumer.wait_until_ready()
        return consumer

    def _signal(self, workers: list[int], number: signal.Signals) -> None:
        for worker in workers:
            os.kill(worker, number)


@pytest.fixture
def drill(database: Database, kafka: KafkaServer, topic: str) -> Iterator[Drill]:
    made = Drill(database, kafka, topic)
    yield made
    made.end()


@contextmanager
def power_cut(kafka: KafkaServer) -> Iterator[None]:
    """Kafka is gone while the block runs."""
    kafka.stop(signal.SIGKILL)
    try:
        yield
    finally:
        kafka.start()


@pytest.mark.parametrize("place", PLACES)
def test_consumer_reads_a_log_again_that_was_cut_off(drill: Drill, place: str) -> None:
    drill.fill({0: COUNT, 1: COUNT, 2: COUNT, 3: 100})

    with drill.consumer_is(place):
        with power_cut(drill.kafka):
            ends = [drill.kafka.lose_tail(drill.topic, partition, COUNT // 3) for partition in range(3)]
        # Beyond our offset, below it, not at all.
        drill.fill({0: COUNT, 1: COUNT // 3, 3: 100})

    gaps: list[Gap] = [
        (0, 0, None, FILLED.format(COUNT)),
        (1, ends[1] + COUNT // 3, None, CUT.format(COUNT)),
        (2, ends[2], None, CUT.format(COUNT)),
    ]
    if place == "running":
        # It looks while the log is being filled.
        gaps[:2] = drill.gaps(at_least=3)[:2]
        assert [(partition, to) for partition, _, to, _ in gaps] == [(0, None), (1, None), (2, None)]
        assert all(reason in (FILLED.format(COUNT), CUT.format(COUNT)) for _, _, _, reason in gaps)
        assert all(ends[0] <= int(str(start)) < COUNT for _, start, _, reason in gaps if reason == CUT.format(COUNT))
    drill.audit(gaps)


@pytest.mark.parametrize("place", PLACES)
def test_consumer_follows_a_recreated_topic(drill: Drill, place: str) -> None:
    drill.fill({0: COUNT, 1: COUNT, 2: COUNT})

    with drill.consumer_is(place):
        drill.kafka.delete_topic(drill.topic)
        drill.kafka.create_topic(drill.topic)
        # Beyond our offset, below it, not at all.
        drill.fill({0: COUNT + 1000, 1: COUNT // 3})

    gaps: list[Gap] = [(partition, COUNT, None, RECREATED) for partition in range(3)] + [(3, 0, None, RECREATED)]
    if place != "away":
        # A fetch names its topic by name only: one that Kafka held back meanwhile is answered from the new topic. What
        # it gave is read a second time, from the beginning.
        first = int(str(drill.gaps(at_least=4)[0][1]))
        assert COUNT <= first <= COUNT + 1000
        gaps[0] = (0, first, None, RECREATED)
    drill.audit(gaps)


@pytest.mark.parametrize("place", ["away", "asleep"])
def test_consumer_records_unread_messages_that_retention_removed(drill: Drill, place: str) -> None:
    drill.fill({0: COUNT, 1: COUNT, 2: COUNT})

    with drill.consumer_is(place):
        drill.fill({0: COUNT, 1: COUNT, 2: COUNT})
        drill.kafka.delete_records(drill.topic, 0, COUNT + COUNT // 2)
        drill.kafka.delete_records(drill.topic, 1, 2 * COUNT)

    gaps = drill.gaps(at_least=2)
    for partition, first, last in ((0, COUNT, COUNT + COUNT // 2), (1, COUNT, 2 * COUNT)):
        (gap,) = [gap for gap in gaps if gap[0] == partition]
        # A worker that sleeps may hold an answer of Kafka's from before.
        assert first <= int(str(gap[1])) < last if place == "asleep" else gap[1] == first
        assert gap[2:] == (last, REMOVED)
        drill.expected -= set(drill.sent[partition][int(str(gap[1])) : last])
    drill.audit(gaps)


def test_consumer_reads_on_over_the_edges_of_leader_epochs(drill: Drill) -> None:
    # Each start of Kafka begins an epoch. In two partitions it holds nothing but what was aborted.
    with drill.consumer_is("away"):
        drill.fill(dict.fromkeys(range(4), COUNT // 3))
        drill.kafka.stop()
        drill.kafka.start()
        drill.fill(dict.fromkeys(range(2), COUNT // 3))
        abort(drill.kafka, drill.topic)

    wait_until(lambda: len(drill.expected) == drill.stored_count(), 60, "everything stored")
    abort(drill.kafka, drill.topic)
    drill.fill(dict.fromkeys(range(4), COUNT // 3))

    drill.audit([])
    assert "reading again" not in drill.consumer.text


def abort(kafka: KafkaServer, topic: str) -> None:
    """A transaction with a message to each partition, rolled back."""
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    for partition in range(4):
        producer.send(topic, message(), partition=partition)
    producer.flush()
    producer.abort_transaction()
    producer.close()
