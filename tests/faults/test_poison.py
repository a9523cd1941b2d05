"""Bad messages among good ones, under load: each has one dead letter, each good one is stored once, nothing stops.

Each drill ends with the audit: ids, dead letters with their bytes, and the counters of every partition.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from kafka import KafkaProducer

from lambda_app.core.transaction.message import parse_message
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import next_offsets
from tests.support.messages import BAD_MESSAGES, message
from tests.support.processes import wait_until

IS_LONG = bool(os.environ.get("LAMBDA_TEST_LONG"))
COUNT = 300_000 if IS_LONG else 20_000
# Messages a second, at the least.
RATE = 2000
MEGABYTE = 1_000_000
# All of them together: the unit may have 2G.
WORKER_BYTES = 1024 * 2**20

BAD = [value for value, _ in BAD_MESSAGES]
SMALL_BAD = [value for value in BAD if value is None or len(value) < 1000]
DEEP = [
    b"[" * 100_000,
    b"[" * 50_000 + b"]" * 50_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    message(amount=...)[:-1] + b', "amount": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    message(amount=...)[:-1] + b', "ignored": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
]


@dataclass
class Sent:
    """What was sent, and so must be there."""

    ids: Counter[str] = field(default_factory=Counter)
    letters: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    per_second: float = 0

    @property
    def total(self) -> int:
        return self.ids.total() + len(self.letters)


@pytest.fixture
def consumer(database: Database, kafka: KafkaServer, topic: str) -> Iterator[ConsumerProcess]:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        yield process


def send(kafka: KafkaServer, topic: str, values: Iterable[tuple[bytes | None, bool]], batch_bytes: int = 2**18) -> Sent:
    """Sends values, each with whether it is valid."""
    sent, started, accepted, rejected = Sent(), time.monotonic(), [], []
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        acks="all",
        linger_ms=20,
        batch_size=batch_bytes,
        compression_type="zstd",
    )
    try:
        for number, (value, is_valid) in enumerate(values):
            future = producer.send(topic, value, b"A1", partition=number % 4)
            if is_valid and value is not None:
                sent.ids[json.loads(value)["transaction_id"]] += 1
                accepted.append(future)
            else:
                rejected.append((value, future))
        for future in accepted:
            future.get(60)
        for value, future in rejected:
            metadata = future.get(60)
            sent.letters[metadata.partition, metadata.offset] = value
        sent.per_second = sent.total / (time.monotonic() - started)
    finally:
        producer.close()
    return sent


def audit(database: Database, kafka: KafkaServer, topic: str, sent: Sent, consumer: ConsumerProcess) -> None:
    ends = kafka.log_ends(topic)
    wait_until(lambda: next_offsets(database) == ends, 90, f"{ends} consumed")

    ids = [str(row[0]) for row in database.query("SELECT transaction_id FROM lambda.transactions")]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(sent.ids)
    rows = database.query('SELECT partition, "offset", raw, reason FROM lambda.dead_letters')
    assert len(rows) == len(sent.letters)
    letters = {(row[0], row[1]): None if row[2] is None else bytes(row[2]) for row in rows}  # type: ignore[call-overload]
    assert letters == sent.letters
    assert all(row[3] for row in rows)
    counters = "stored_count + duplicate_count + dead_letter_count + gap_count"
    assert database.count("stream_offsets", f"next_offset <> {counters}") == 0
    sums = "sum(stored_count), sum(duplicate_count), sum(dead_letter_count), sum(gap_count)"
    row = database.query(f"SELECT {sums} FROM lambda.stream_offsets")[0]
    assert tuple(map(int, map(str, row))) == (len(ids), sent.ids.total() - len(ids), len(letters), 0)
    assert "Traceback" not in consumer.text
    assert "ended with status" not in consumer.text
    assert consumer.terminate() == 0


def valid(count: int) -> Iterator[tuple[bytes | None, bool]]:
    for _ in range(count):
        yield message(), True


def test_one_bad_message_in_ten_thousand(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    values = list(valid(COUNT))
    for place in rng.sample(range(COUNT), COUNT // 10_000):
        values[place] = rng.choice(BAD), False

    sent = send(kafka, topic, values)

    print(f"{sent.per_second:,.0f} messages/s")
    assert sent.per_second > RATE
    audit(database, kafka, topic, sent, consumer)


def test_nothing_but_bad_messages(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    sent = send(kafka, topic, ((rng.choice(SMALL_BAD), False) for _ in range(COUNT)))

    print(f"{sent.per_second:,.0f} messages/s")
    assert sent.per_second > RATE
    audit(database, kafka, topic, sent, consumer)


def megabytes(rng: random.Random) -> Iterator[tuple[bytes | None, bool]]:
    """Of noise, among small messages: valid but for nobody, too long a text, rubbish."""
    for _ in range(600 if IS_LONG else 60):
        noise = rng.randbytes(MEGABYTE // 2 - 500).hex()
        yield rng.choice([(message(ignored=noise), True), (message(location=noise), False), (noise.encode(), False)])
        yield from valid(20)


def squeezed_megabytes(_: random.Random) -> Iterator[tuple[bytes | None, bool]]:
    """That take next to no room in Kafka."""
    for _ in range(2000 if IS_LONG else 400):
        yield message(ignored="0" * (MEGABYTE - 500)), True


@pytest.mark.parametrize(("values", "batch_bytes"), [(megabytes, MEGABYTE // 4), (squeezed_megabytes, 8 * MEGABYTE)])
def test_megabytes_leave_the_workers_small(
    database: Database,
    kafka: KafkaServer,
    topic: str,
    consumer: ConsumerProcess,
    rng: random.Random,
    values: Callable[[random.Random], Iterator[tuple[bytes | None, bool]]],
    batch_bytes: int,
) -> None:
    assert consumer.terminate() == 0
    sent = send(kafka, topic, values(rng), batch_bytes)
    largest = 0
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:

        def is_consumed() -> bool:
            nonlocal largest
            largest = max(largest, process.worker_memory_bytes())
            return sum(next_offsets(database).values()) == sent.total

        wait_until(is_consumed, 90, "everything consumed")

        print(f"the workers, at their largest: {largest / 2**20:.0f} MiB")
        assert largest < WORKER_BYTES
        audit(database, kafka, topic, sent, process)


def test_values_nested_too_deeply(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    values = [each for bad in DEEP for each in (*valid(100), (bad, False))]

    sent = send(kafka, topic, values)

    audit(database, kafka, topic, sent, consumer)


def test_schema_that_changes_in_mid_stream(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    now = datetime.now(UTC)
    # What the sender does from some moment on, and whether that is valid.
    schemas: list[tuple[dict[str, object], bool]] = [
        ({}, True),
        # Fields added.
        ({"currency": "USD", "items": [{"sku": 1, "tags": ["a", None]}]}, True),
        # Fields dropped that need not be there.
        ({"merchant_category": ..., "location": ..., "card_present": ..., "risk_score": ...}, True),
        ({"merchant_category": None, "location": None, "card_present": None, "risk_score": None}, True),
        # Fields renamed.
        ({"event_time": ..., "timestamp": now.isoformat()}, True),
        ({"amount": ..., "value": 12.34}, False),
        ({"account_id": ..., "accountId": "ACC-00001"}, False),
        # Types changed.
        ({"amount": 12}, True),
        ({"amount": "12.34"}, True),
        ({"amount": "12,34"}, False),
        ({"amount": {"value": 12.34, "currency": "USD"}}, False),
        ({"event_time": int(now.timestamp())}, False),
        ({"event_time": int(now.timestamp()) * 1000}, True),
        ({"event_time": now.strftime("%Y-%m-%d %H:%M:%S")}, True),
        ({"event_time": (now + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S.123456789+05:00")}, True),
        ({"event_time": now.strftime("%d.%m.%Y %H:%M")}, False),
        ({"account_id": 17}, False),
        ({"card_present": "yes"}, False),
        ({"card_present": 1}, False),
        ({"risk_score": "high"}, False),
        ({"risk_score": 99}, True),
        ({"merchant_category": ["grocery"]}, False),
    ]
    rng.shuffle(schemas)
    # Two versions of a sender at once, one after the other.
    versions = list(pairwise(schemas))
    each = COUNT // len(versions)
    changes = (rng.choice(pair) for pair in versions for _ in range(each))

    sent = send(kafka, topic, ((message(**change), is_valid) for change, is_valid in changes))

    print(f"{sent.per_second:,.0f} messages/s")
    assert sent.per_second > RATE
    audit(database, kafka, topic, sent, consumer)


def test_every_kind_sent_twice(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    good = [
        message(),
        message(ignored={"a": [1]}),
        message(location='tab\t\\N "quoted" \U0001f600'),
        message(risk_score=None),
    ]
    kinds = [(value, True) for value in good] + [(value, False) for value in BAD]
    values = [*kinds * 2, *valid(500), *kinds]
    rng.shuffle(values)

    sent = send(kafka, topic, values)

    assert sent.ids.total() == len(sent.ids) + 2 * len(good)
    assert len(sent.letters) == 3 * len(BAD)
    audit(database, kafka, topic, sent, consumer)


def odd_message(rng: random.Random, now: datetime) -> bytes:
    """Valid, and at the edge of what is."""

    def text(longest: int, shortest: int = 1) -> str:
        alphabet = "\\\t\n\r\b\f\v\x01\x1f\x7f\x85\u2028\ufeff\uffff\U0010ffff\u0301\u202e'\"{}N.,;%|\0"[:-1] + "aé漢😀"
        return "".join(rng.choices(alphabet, k=rng.choice([shortest, 2, 3, longest])))

    second = rng.choice(["2000-01-01T00:00:00Z", "2000-02-29 23:59:59.999999999", "1999-12-31T23:00:00-01:00"])
    recent = (now - timedelta(seconds=rng.randrange(10**6))).isoformat(rng.choice("T "))
    fields = {
        "transaction_id": f"TXN-{rng.randrange(10**12)}" + text(100, 0),
        "account_id": text(128),
        "transaction_type": rng.choice(["purchase", "\\N", "\\.", "None", text(64)]),
        "event_time": rng.choice([second, recent, recent, recent]),
        "merchant_category": rng.choice([None, "", "None", "\\N", "NULL", text(128)]),
        "location": rng.choice([None, "", "\\.", text(256)]),
        "job_id": rng.choice([None, "", text(128)]),
        "card_present": rng.choice([None, True, False]),
    }
    numbers = {
        "amount": ["0", "-0", "-0.00", "1e2", "9999999999.99", "-9999999999.99", "0.1E1", "12.50000", "1E-2", "0e999"],
        "risk_score": ["null", "0", "-0.0", "99.99", "99.994", "1e-30", "0.005", "50.12499999999999999999999", "9.9e1"],
    }
    if rng.random() < 0.5:
        # Each valid message beside odd ones of one kind only, too: the quick path takes many at once.
        fields = json.loads(message()) | {"transaction_id": fields["transaction_id"]}
        numbers = {"amount": ["12.34"], "risk_score": ["0.35"]}
    tail = ", ".join(f'"{name}": {rng.choice(spellings)}' for name, spellings in numbers.items())
    return json.dumps(fields, ensure_ascii=rng.random() < 0.5)[:-1].encode() + b", " + tail.encode() + b"}"


def test_odd_values_are_stored_as_sent(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, rng: random.Random
) -> None:
    now = datetime.now(UTC)
    values = [odd_message(rng, now) for _ in range(COUNT // 4)]

    sent = send(kafka, topic, ((value, True) for value in values))

    audit(database, kafka, topic, sent, consumer)
    columns = (
        "job_id, transaction_id, account_id, transaction_type, amount, event_time, merchant_category, location,"
        " card_present, risk_score"
    )
    stored = {row[1]: row for row in database.query(f"SELECT {columns} FROM lambda.transactions")}
    for value in values:
        wanted = parse_message(value, now)
        assert stored[wanted.transaction_id] == tuple(getattr(wanted, name) for name in columns.split(", "))


# Milliseconds as Kafka keeps them: of senders that count in seconds or microseconds, or not at all.
@pytest.mark.parametrize("milliseconds", [0, 1_780_000_000, 1_780_000_000_000_000, 2**63 - 1])
def test_message_with_an_impossible_time_of_its_own(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess, milliseconds: int
) -> None:
    kafka.configure_topic(topic, {"message.timestamp.after.max.ms": str(2**63 - 1)})
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    value = message()
    producer.send(topic, value, partition=0, timestamp_ms=milliseconds).get(10)
    producer.close()

    audit(database, kafka, topic, Sent(Counter([json.loads(value)["transaction_id"]])), consumer)
