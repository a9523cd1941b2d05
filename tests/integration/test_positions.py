"""The table stream_offsets: compare-and-set, and gaps that are said."""

from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest

from lambda_app.core.stream.offsets import Advance
from lambda_app.database.connection import STREAM, Connection, connect, transaction
from lambda_app.errors import PartitionLost
from lambda_app.stream.positions import advance, prepare, read, take_over
from tests.support.fixtures import Database

TOPIC, ID, OTHER_ID = "transactions", UUID(int=1), UUID(int=2)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(connect(STREAM)) as made:
        with transaction(made):
            prepare(made)
        yield made


def move(partition: int, expected: int, next_offset: int, stored: int = 0) -> Advance:
    return Advance(partition, expected, next_offset, 5, 1_780_000_000_123, b"fingerprint", stored)


def commit_advance(connection: Connection, *advances: Advance, topic_id: UUID | None = ID) -> None:
    with transaction(connection):
        advance(connection, TOPIC, topic_id, advances)


def commit_take_over(
    connection: Connection, bounds: dict[int, tuple[int, int]], topic_id: UUID | None = ID
) -> dict[int, int]:
    with transaction(connection):
        return take_over(connection, TOPIC, topic_id, read(connection, TOPIC, bounds), bounds)


def next_offsets(database: Database) -> list[tuple[object, ...]]:
    return database.query("SELECT partition, next_offset FROM lambda.stream_offsets ORDER BY 1")


def test_take_over_begins_at_the_start_and_goes_on_where_it_was(database: Database, connection: Connection) -> None:
    assert commit_take_over(connection, {0: (0, 10), 1: (0, 0)}) == {0: 0, 1: 0}
    commit_advance(connection, move(0, 0, 7, stored=6))

    assert commit_take_over(connection, {0: (0, 10), 1: (0, 0)}) == {0: 7, 1: 0}
    row = database.query(
        "SELECT topic_id, leader_epoch, extract(epoch FROM last_timestamp), last_hash, stored_count"
        " FROM lambda.stream_offsets WHERE partition = 0"
    )[0]
    assert (row[0], row[1], float(str(row[2])), row[4]) == (str(ID), 5, 1_780_000_000.123, 6)
    assert bytes(row[3]) == b"fingerprint"  # type: ignore[call-overload]


def test_advance_is_refused_when_the_offset_has_moved(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (0, 10), 1: (0, 10)})
    commit_advance(connection, move(0, 0, 5))

    with pytest.raises(PartitionLost, match="1 of 2 partitions"):
        commit_advance(connection, move(1, 0, 9), move(0, 0, 3))

    # The one that would have matched did not move either.
    assert next_offsets(database) == [(0, 5), (1, 0)]


def test_advance_is_refused_when_the_topic_is_another_one(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (0, 10)})

    with pytest.raises(PartitionLost):
        commit_advance(connection, move(0, 0, 5), topic_id=OTHER_ID)

    assert next_offsets(database) == [(0, 0)]


def test_of_two_that_advance_at_once_one_is_refused(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (0, 10)})

    with closing(connect(STREAM)) as other:
        prepare(other)
        advance(other, TOPIC, ID, [move(0, 0, 4)])
        other.commit()
        with pytest.raises(PartitionLost):
            commit_advance(connection, move(0, 0, 8))

    assert next_offsets(database) == [(0, 4)]


def test_take_over_is_refused_when_the_offset_has_moved(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (0, 10)})
    stale = read(connection, TOPIC, [0])
    commit_advance(connection, move(0, 0, 5))

    with pytest.raises(PartitionLost), transaction(connection):
        take_over(connection, TOPIC, ID, stale, {0: (3, 10)})

    assert next_offsets(database) == [(0, 5)]
    assert database.count("stream_gaps") == 0


def test_gap_is_recorded_with_its_offsets(
    database: Database, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    commit_take_over(connection, {0: (0, 10)})
    commit_advance(connection, move(0, 0, 5))

    assert commit_take_over(connection, {0: (8, 20)}) == {0: 8}
    assert commit_take_over(connection, {0: (2, 6)}, topic_id=OTHER_ID) == {0: 2}

    gaps = database.query("SELECT topic_id, from_offset, to_offset, reason FROM lambda.stream_gaps ORDER BY id")
    assert gaps == [
        (str(ID), 5, 8, "removed by retention before it was read"),
        (str(ID), 8, None, "the topic was deleted and recreated"),
        (str(OTHER_ID), 0, 2, "removed by retention before it was read"),
    ]
    assert database.value("SELECT gap_count FROM lambda.stream_offsets") == 5
    assert "Gap in transactions/0 from offset 5 to 8: removed by retention" in caplog.text


def test_take_over_counts_how_far_it_moves_back(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (4, 10)})
    commit_advance(connection, move(0, 4, 10, stored=6))

    # The log was cut off; then the topic was recreated, and begins later.
    assert commit_take_over(connection, {0: (5, 8)}) == {0: 5}
    commit_advance(connection, move(0, 5, 8, stored=3))
    assert commit_take_over(connection, {0: (2, 6)}, topic_id=OTHER_ID) == {0: 2}

    accounts = "next_offset + rewound_count, stored_count + gap_count, rewound_count"
    assert database.query(f"SELECT {accounts} FROM lambda.stream_offsets") == [(15, 15, 13)]


def test_advance_keeps_working_when_the_topic_id_becomes_known(database: Database, connection: Connection) -> None:
    commit_take_over(connection, {0: (0, 10)}, topic_id=None)

    assert commit_take_over(connection, {0: (0, 10)}) == {0: 0}
    commit_advance(connection, move(0, 0, 5))

    assert database.value("SELECT topic_id FROM lambda.stream_offsets") == str(ID)
