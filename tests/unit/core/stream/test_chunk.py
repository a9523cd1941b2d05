"""When a chunk is stored, and what is counted."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lambda_app import settings
from lambda_app.core.stream.chunk import Chunk
from lambda_app.core.stream.offsets import fingerprint
from lambda_app.core.stream.run import Run
from lambda_app.core.transaction.outcome import Refusal, StoreResult

VALID = (
    b'{"transaction_id": "T1", "account_id": "A1", "transaction_type": "refund", "amount": 1,'
    b' "event_time": "2026-06-15T11:00:00Z"}'
)
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def run(partition: int, offset: int, values: Sequence[bytes | None] = (VALID,)) -> Run:
    offsets = range(offset, offset + len(values))
    return Run(partition, offsets, [b"A1"] * len(values), values, 1_780_000_000_000, 3)


def chunk_of(runs: Sequence[Run]) -> Chunk:
    chunk = Chunk()
    chunk.add(runs, {each.partition: each.offsets[0] for each in runs}, NOW)
    return chunk


def test_chunk_is_full_by_number_and_by_size() -> None:
    many = chunk_of([run(0, 0, [VALID] * settings.CHUNK_RECORDS)])
    large = chunk_of([run(0, 0, [bytes(1_000_000)] * 17)])

    assert many.is_full()
    assert large.is_full()


def test_chunk_accounts_for_every_message() -> None:
    chunk = Chunk()
    chunk.add([run(0, 10, [VALID, b"rubbish"]), run(1, 20, [VALID])], {0: 9, 1: 20}, NOW)
    chunk.add([run(1, 21, [None, VALID])], {0: 12, 1: 21}, NOW)

    # The lines are those of offsets 10, 20 and 22.
    advances, letters = chunk.account(StoreResult(1, (1,), (Refusal(2, "it smells"),)), "transactions", None)

    first, second = sorted(advances, key=lambda advance: advance.partition)
    assert (first.expected, first.next_offset, first.leader_epoch) == (9, 12, 3)
    assert (first.stored, first.duplicate, first.dead_letters) == (1, 0, 1)
    assert first.last_hash == fingerprint(b"A1", b"rubbish")
    assert (second.expected, second.next_offset) == (20, 23)
    assert (second.stored, second.duplicate, second.dead_letters) == (0, 1, 2)
    assert [(x.partition, x.offset, x.raw, x.reason) for x in letters] == [
        (0, 11, b"rubbish", "not JSON: invalid character at byte 0: 'rubbish'"),
        (1, 21, None, "the message has no value"),
        (1, 22, VALID, "it smells"),
    ]


def test_chunk_counts_offsets_without_a_message() -> None:
    chunk = Chunk()
    with_holes = Run(0, [12, 15], [b"A1"] * 2, [VALID, b"rubbish"], 1_780_000_000_000, 3)
    chunk.add([with_holes, run(0, 18)], {0: 10}, NOW)

    (advance,), _ = chunk.account(StoreResult(2), "transactions", None)

    assert (advance.expected, advance.next_offset, advance.skipped) == (10, 19, 6)


def test_event_times_are_chosen_evenly() -> None:
    times = [f"2026-06-15T10:{number:02}:00Z".encode() for number in range(50)]
    chunk = chunk_of([run(0, 0, [VALID.replace(b"2026-06-15T11:00:00Z", time) for time in times])])

    assert [time.minute for time in chunk.some_event_times(5)] == [0, 10, 20, 30, 40]
    assert len(chunk.some_event_times(20)) == 17
    assert len(chunk.some_event_times(100)) == 50
    assert chunk.some_event_times(0) == []
    assert Chunk().some_event_times(20) == []
