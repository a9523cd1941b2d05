"""What a worker holds, in each order in which things can happen to it."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from lambda_app.core.stream.holdings import Holdings
from lambda_app.core.stream.offsets import StoredPosition, fingerprint
from lambda_app.core.stream.run import Run
from lambda_app.errors import PositionVoid

TOPIC, RECREATED = UUID(int=1), UUID(int=2)


def record(offset: int) -> bytes:
    return b"record %d" % offset


def run(partition: int, *offsets: int, of: Sequence[bytes] = ()) -> Run:
    return Run(partition, offsets, [b"A1"] * len(offsets), of or [record(each) for each in offsets], 0, None)


def stored_at(offset: int) -> StoredPosition:
    return StoredPosition(offset, TOPIC, fingerprint(b"A1", record(offset - 1)))


def holdings_at(*offsets: int, log_start: int = 0) -> Holdings:
    """Partitions 0, 1, ..., taken over at these offsets; each has yet to show the record before, 0 has none."""
    holdings = Holdings()
    found = dict(enumerate(offsets))
    stored = {partition: stored_at(offset) for partition, offset in found.items() if offset}
    holdings.take_over(TOPIC, found, stored, dict.fromkeys(found, log_start))
    return holdings


def read(holdings: Holdings, *runs: Run) -> list[Run]:
    """Takes runs as the worker does."""
    new = holdings.take(runs)
    holdings.note_read(new)
    return new


def test_nothing_is_held_at_first() -> None:
    holdings = Holdings()

    assert not holdings
    assert holdings.take([run(0, 7)]) == []
    assert holdings.lost({0, 1}) == set()
    assert holdings.are_of(TOPIC)
    assert holdings.are_of(None)


@pytest.mark.parametrize(
    ("stored", "found", "log_start", "start"),
    [
        # The last record stored is read again, to see whether it is still the same.
        (stored_at(5), 5, 0, 4),
        (stored_at(5), 5, 4, 4),
        # Retention took it.
        (stored_at(5), 5, 5, 5),
        # A gap was recorded: what stands before the new offset was never stored.
        (stored_at(5), 9, 9, 9),
        (stored_at(5), 0, 0, 0),
        # No record was ever stored of it.
        (StoredPosition(5, TOPIC, None), 5, 0, 5),
        (None, 0, 0, 0),
    ],
)
def test_reading_starts_at_the_last_record_stored_where_the_log_has_it(stored, found, log_start, start):
    holdings = Holdings()
    known = {3: stored} if stored else {}

    assert holdings.take_over(TOPIC, {3: found}, known, {3: log_start}) == {3: start}
    assert (dict(holdings.read), dict(holdings.stored)) == ({3: found}, {3: found})
    assert holdings.topic_id == TOPIC


def test_record_that_proves_the_log_is_not_taken_twice() -> None:
    holdings = holdings_at(5, 0)

    assert read(holdings, run(0, 4, 5, 6), run(1, 0)) == [run(0, 5, 6), run(1, 0)]
    assert dict(holdings.read) == {0: 7, 1: 1}
    assert dict(holdings.stored) == {0: 5, 1: 0}


def test_record_that_comes_alone_proves_the_log_and_is_nothing_new() -> None:
    holdings = holdings_at(5)

    assert read(holdings, run(0, 4)) == []
    assert read(holdings, run(0, 5)) == [run(0, 5)]


def test_log_is_proved_once() -> None:
    holdings = holdings_at(5)
    read(holdings, run(0, 4, 5))

    # Control records and what was compacted leave holes.
    assert read(holdings, run(0, 9)) == [run(0, 9)]


def test_two_runs_of_a_partition_follow_each_other() -> None:
    holdings = holdings_at(5)

    assert read(holdings, run(0, 4, 5), run(0, 6)) == [run(0, 5), run(0, 6)]
    assert dict(holdings.read) == {0: 7}


@pytest.mark.parametrize(
    "first",
    [
        # The log was cut off and filled again with other records.
        run(0, 4, 5, of=[b"another", record(5)]),
        # The record is no longer there.
        run(0, 5, 6),
        # It stands at another offset.
        run(0, 5, 6, of=[record(4), record(6)]),
    ],
)
def test_log_that_shows_another_record_is_refuted_and_nothing_is_taken(first: Run) -> None:
    holdings = holdings_at(5, 0)

    with pytest.raises(PositionVoid, match="Partition 0 does not hold what we read at offset 4"):
        holdings.take([run(1, 0), first])

    assert set(holdings.refuted) == {0}
    assert dict(holdings.read) == {0: 5, 1: 0}


def test_refuted_log_is_remembered_until_it_is_taken_over_again() -> None:
    holdings = holdings_at(5)
    with pytest.raises(PositionVoid):
        holdings.take([run(0, 5)])

    holdings.clear()
    assert set(holdings.refuted) == {0}

    # Its gap is recorded, and it is read from its start.
    assert holdings.take_over(TOPIC, {0: 0}, {0: stored_at(5)}, {0: 0}) == {0: 0}
    assert set(holdings.refuted) == set()
    assert read(holdings, run(0, 0, 1)) == [run(0, 0, 1)]


def test_refuted_log_that_another_worker_has_by_now_is_forgotten() -> None:
    holdings = holdings_at(5, 0)
    with pytest.raises(PositionVoid):
        holdings.take([run(0, 5)])
    holdings.clear()

    holdings.take_over(TOPIC, {1: 0}, {}, {1: 0})

    assert set(holdings.refuted) == set()


def test_offset_that_comes_again_is_void() -> None:
    holdings = holdings_at(0)
    read(holdings, run(0, 0, 1, 2))

    with pytest.raises(PositionVoid, match="Partition 0 gave offset 2 again"):
        holdings.take([run(0, 2, 3)])

    assert set(holdings.refuted) == set()


def test_revoked_while_storing_nothing_more_is_noted_of_it() -> None:
    holdings = holdings_at(5, 7)
    read(holdings, run(0, 4, 5), run(1, 6, 7))

    assert holdings.lost({1}) == {0}
    holdings.give_up({0})
    holdings.note_stored({0: 6, 1: 8})

    assert dict(holdings.read) == {1: 8}
    assert dict(holdings.stored) == {1: 8}
    assert holdings.take([run(0, 6)]) == []


def test_revoked_before_it_was_proved_it_is_proved_when_it_comes_back() -> None:
    holdings = holdings_at(5)
    holdings.give_up({0})
    assert not holdings

    # Another worker stored two records meanwhile.
    assert holdings.take_over(TOPIC, {0: 7}, {0: stored_at(7)}, {0: 0}) == {0: 6}
    assert read(holdings, run(0, 6, 7)) == [run(0, 7)]


def test_given_back_without_a_record_it_owes_no_proof_of_before() -> None:
    holdings = holdings_at(5)
    holdings.give_up({0})

    holdings.take_over(TOPIC, {0: 5}, {0: stored_at(5)}, {0: 5})

    assert read(holdings, run(0, 5)) == [run(0, 5)]


def test_assigned_while_others_are_read_leaves_those_as_they_are() -> None:
    holdings = holdings_at(5)
    read(holdings, run(0, 4, 5, 6))

    assert holdings.take_over(TOPIC, {1: 3}, {1: stored_at(3)}, {1: 0}) == {1: 2}

    assert dict(holdings.read) == {0: 7, 1: 3}
    assert dict(holdings.stored) == {0: 5, 1: 3}
    assert read(holdings, run(0, 7), run(1, 2, 3)) == [run(0, 7), run(1, 3)]


def test_store_that_fails_is_read_again_from_what_is_stored() -> None:
    holdings = holdings_at(5)
    read(holdings, run(0, 4, 5, 6))
    holdings.note_stored({0: 6})
    read(holdings, run(0, 7))

    holdings.clear()
    assert not holdings
    # What was on its way when all was let go came through, or did not: PostgreSQL says which.
    holdings.note_stored({0: 8})
    assert dict(holdings.stored) == {}

    assert holdings.take_over(TOPIC, {0: 6}, {0: stored_at(6)}, {0: 0}) == {0: 5}
    assert read(holdings, run(0, 5, 6, 7)) == [run(0, 6, 7)]


def test_topic_that_was_recreated_is_another_one() -> None:
    holdings = holdings_at(5)

    assert holdings.are_of(TOPIC)
    assert not holdings.are_of(RECREATED)
    assert not holdings.are_of(None)

    holdings.clear()
    assert holdings.are_of(RECREATED)
    assert holdings.topic_id is None
    assert holdings.take_over(RECREATED, {0: 0}, {0: stored_at(5)}, {0: 0}) == {0: 0}
    assert holdings.topic_id == RECREATED
    assert read(holdings, run(0, 0)) == [run(0, 0)]


def test_number_of_partitions_is_its_length() -> None:
    holdings = holdings_at(5, 0, 3)

    assert len(holdings) == 3
    holdings.give_up({1})
    assert len(holdings) == 2
