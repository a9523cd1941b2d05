"""Lines are an editor's, wherever a read of the file ends."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_app.core.csv import lines
from lambda_app.core.csv.lines import LONGEST_LINE_BYTES, Lines


class SlowFile(io.BytesIO):
    """Gives a few bytes with each read, as a pipe may."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size if size is None or size < 0 else min(size, self._size))


def blocks(data: bytes, size: int) -> list[bytes]:
    lines = Lines(SlowFile(data, size))
    return list(iter(lines.read, b""))


@given(data=st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n"]), max_size=30).map(b"".join), size=st.integers(3, 9))
@example(data=b"abc\r\nd\r\n", size=4)  # a read ends between carriage return and line feed
@example(data=b"abc\r", size=4)
@example(data=b"abc\rd", size=4)
def test_lines_are_those_of_the_whole_file(data: bytes, size: int) -> None:
    found = blocks(data, size)

    assert b"".join(found) == data
    assert [line for block in found for line in block.splitlines(keepends=True)] == data.splitlines(keepends=True)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_that_is_too_long_is_cut_and_counts_as_one(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 10)
    long = b"x" * 10_000

    for size in (3, 4, 5, 7, 9_999, 20_000):
        found = [line for block in blocks(b"a" + end + long + end + b"b", size) for line in block.splitlines()]

        assert [line[:11] for line in found] == [b"a", b"x" * min(11, len(found[1])), b"b"]
        assert len(found[1]) >= 10


def test_cut_line_is_known_by_its_length() -> None:
    [cut, rest] = blocks(b"x" * (3 * LONGEST_LINE_BYTES) + b"\nb\n", 1 << 20)

    assert (len(cut), cut[-1:]) == (LONGEST_LINE_BYTES + 1, b"\n")
    assert rest == b"b\n"


@pytest.mark.parametrize("size", [3, 4, 100])
def test_byte_order_mark_is_left_out(size: int) -> None:
    assert b"".join(blocks(b"\xef\xbb\xbfa\n", size)) == b"a\n"
