"""The chunk of a file while it grows: how far it reads, where it ends, and whose lines are rejected."""

from collections.abc import Iterator, Sequence

import pytest

from lambda_app.core.csv.bulk import Piece
from lambda_app.core.csv.chunk import OpenChunk, Pieces
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.transaction.outcome import Refusal
from lambda_app.core.transaction.rows import Rows
from lambda_app.errors import InvalidFile

NOON = "2026-06-15T12:00:00+00:00"
NEXT_DAY = "2026-06-16T12:00:00+00:00"


def piece(*lines: int, rejected: Sequence[int] = (), time: str = NOON) -> Piece:
    """Records of these lines of a file; the rejected ones are not valid."""
    rows = Rows([f"{time}\tT{line}\tA1\tpurchase\t1.00\t\\N\t\\N\t\\N\t\\N\tBAT00001\tBATCH\n" for line in lines])
    letters = [RejectedLine(line, b"bad %d" % line, "amount is missing") for line in rejected]
    return Piece(rows, list(lines), [b"raw %d" % line for line in lines], letters)


def always(_: Rows) -> bool:
    return True


def is_noon(rows: Rows) -> bool:
    return all(line.startswith(NOON) for line in rows.lines)


def test_piece_that_was_looked_at_is_the_next_until_it_is_passed_over() -> None:
    first, second = piece(2), piece(3)
    pieces = Pieces(iter([first, second]))

    assert pieces.peek() is first
    assert pieces.peek() is first
    pieces.skip()
    assert pieces.peek() is second
    pieces.skip()
    assert pieces.peek() is None


def test_file_is_read_no_further_than_asked() -> None:
    read = []

    def file() -> Iterator[Piece]:
        for line in (2, 3, 4):
            read.append(line)
            yield piece(line)

    chunk = OpenChunk(Pieces(file()), 100, always)

    assert read == []
    next(chunk)
    assert read == [2]
    next(chunk)
    assert read == [2, 3]


@pytest.mark.parametrize(
    ("most_records", "counts"),
    [
        (1, [1, 2, 1]),
        # A chunk is not cut inside a piece.
        (2, [3, 1]),
        (3, [3, 1]),
        (4, [4]),
    ],
)
def test_chunk_ends_when_it_has_enough_records_or_with_the_file(most_records: int, counts: list[int]) -> None:
    pieces = Pieces(iter([piece(2), piece(3, rejected=[4]), piece(5)]))

    chunks = []
    while pieces.peek() is not None:
        chunk = OpenChunk(pieces, most_records, always)
        rows = sum(len(each) for each in chunk)
        chunks.append((len(chunk), rows))

    assert [count for count, _ in chunks] == counts
    assert sum(rows for _, rows in chunks) == 3


def test_piece_that_does_not_fit_begins_the_next_chunk() -> None:
    pieces = Pieces(iter([piece(2), piece(3, time=NEXT_DAY), piece(4, time=NEXT_DAY)]))

    first, second = OpenChunk(pieces, 100, is_noon), OpenChunk(pieces, 100, always)

    assert [each.lines[0][:10] for each in first] == ["2026-06-15"]
    assert [each.lines[0][:10] for each in second] == ["2026-06-16", "2026-06-16"]
    assert pieces.peek() is None


def test_piece_without_a_record_is_part_of_the_chunk() -> None:
    pieces = Pieces(iter([Piece(), piece(3)]))

    chunk = OpenChunk(pieces, 100, always)

    assert [len(each) for each in chunk] == [0, 1]
    assert len(chunk) == 1


def test_what_nobody_asked_for_is_still_there_for_the_next_who_asks() -> None:
    # As when a COPY fails in the middle: the rest is read all the same, and all rows are stored another way.
    chunk = OpenChunk(Pieces(iter([piece(2), piece(3), piece(4)])), 100, always)

    next(chunk)
    rest = [each.lines[0].split("\t")[1] for each in chunk]

    assert rest == ["T3", "T4"]
    assert len(chunk) == 3


def test_file_that_breaks_off_while_it_is_read_raises_what_is_wrong() -> None:
    def file() -> Iterator[Piece]:
        yield piece(2)
        raise InvalidFile("the gzip file is cut off")

    chunk = OpenChunk(Pieces(file()), 100, always)
    next(chunk)

    with pytest.raises(InvalidFile, match="cut off"):
        next(chunk)


def test_rejected_are_those_not_valid_and_those_refused_in_the_order_of_the_file() -> None:
    chunk = OpenChunk(Pieces(iter([piece(2, 4, rejected=[3]), piece(5, 7, rejected=[6])])), 100, always)
    list(chunk)

    # The rows are lines 2, 4, 5 and 7.
    rejected = chunk.rejected([Refusal(3, "PostgreSQL refuses it"), Refusal(1, "conflicts")])

    assert [(each.line, each.raw, each.reason) for each in rejected] == [
        (3, b"bad 3", "amount is missing"),
        (4, b"raw 4", "conflicts"),
        (6, b"bad 6", "amount is missing"),
        (7, b"raw 7", "PostgreSQL refuses it"),
    ]


def test_nothing_refused_leaves_those_not_valid() -> None:
    chunk = OpenChunk(Pieces(iter([piece(2, rejected=[3])])), 100, always)
    list(chunk)

    assert [each.line for each in chunk.rejected([])] == [3]
