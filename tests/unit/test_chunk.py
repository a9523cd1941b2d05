"""When a chunk is stored, and what is counted."""

from datetime import UTC, datetime
from typing import NamedTuple

from lambda_app import settings
from lambda_app.chunk import Chunk, ParsedChunk
from lambda_app.storage import Refusal, StoreResult

VALID = (
    b'{"transaction_id": "T1", "account_id": "A1", "transaction_type": "refund", "amount": 1,'
    b' "event_time": "2026-06-15T11:00:00Z"}'
)


NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


class Read(NamedTuple):
    """A record as kafka-python gives it."""

    partition: int
    offset: int
    leader_epoch: int | None
    timestamp: int
    key: bytes | None
    value: bytes | None


def record(partition: int, offset: int, value: bytes | None = VALID) -> Read:
    return Read(partition, offset, 3, 1_780_000_000_000, b"A1", value)


def test_chunk_is_due_by_age() -> None:
    chunk = Chunk()
    chunk.add([], now=1.0)
    chunk.add([record(0, 0)], now=2.0)
    chunk.add([record(0, 1)], now=2.02)

    assert not chunk.is_due(2.02)
    assert chunk.is_due(2.001 + settings.CHUNK_AGE_SECONDS)


def test_chunk_is_due_by_number_and_by_size() -> None:
    many, large = Chunk(), Chunk()
    many.add([record(0, n) for n in range(settings.CHUNK_RECORDS)], now=0.0)
    large.add([record(0, n, bytes(1_000_000)) for n in range(17)], now=0.0)

    assert many.is_due(0.0)
    assert large.is_due(0.0)


def test_empty_chunk_is_never_due() -> None:
    assert not Chunk().is_due(1e9)


def test_chunk_without_lost_partitions_keeps_the_others() -> None:
    chunk = Chunk()
    chunk.add([record(0, 5), record(1, 7), record(0, 6)], now=1.0)

    assert [r.partition for r in chunk.without({0}).records] == [1]


def test_parsed_chunk_accounts_for_every_message() -> None:
    records = [record(0, 10), record(0, 11, b"rubbish"), record(1, 20), record(1, 21, None), record(1, 22)]
    parsed = ParsedChunk.of(records, "transactions", None, {0: 10, 1: 20}, NOW)

    # Rows are those of offsets 10, 20 and 22.
    parsed.account(StoreResult(1, (1,), (Refusal(2, "it smells"),)), "transactions", None)

    first, second = parsed.advances[0], parsed.advances[1]
    assert (first.expected, first.next_offset, first.leader_epoch) == (10, 12, 3)
    assert (first.stored, first.duplicate, first.dead_letters) == (1, 0, 1)
    assert (second.expected, second.next_offset) == (20, 23)
    assert (second.stored, second.duplicate, second.dead_letters) == (0, 1, 2)
    assert [(x.partition, x.offset, x.reason) for x in parsed.letters] == [
        (0, 11, "not JSON: invalid character at byte 0: 'rubbish'"),
        (1, 21, "the message has no value"),
        (1, 22, "it smells"),
    ]
