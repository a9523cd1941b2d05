"""Columns of a whole text: what Python's CSV reader says of it, or nothing."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lambda_app.core.csv.columns import split_columns


def columns_of(text: str, width: int) -> Sequence[Sequence[str]] | None:
    block = text.encode("utf-8", "surrogateescape")
    return split_columns(block, len(block.splitlines()), width)


def records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@settings(max_examples=2000)
@given(lines=st.lists(st.text('ab,"\x1f\rü', min_size=0, max_size=12), min_size=1, max_size=4), is_ended=st.booleans())
@example(lines=["a,b,c", "a", "a,b,c,a,b"], is_ended=True)  # as many fields as three records have
@example(lines=['a,"b', 'c",d'], is_ended=True)
@example(lines=['a,"b""c"'], is_ended=True)
@example(lines=['"a"b"c",d'], is_ended=True)
@example(lines=['a"b,c"d,e'], is_ended=False)
@example(lines=["a,b\r", "c,d\r"], is_ended=True)
def test_columns_are_those_of_a_reader_wherever_there_are_some(lines, is_ended):
    text = "\n".join(lines) + "\n" * is_ended
    assume(text)
    for width in (2, 3):
        columns = columns_of(text, width)
        if columns is not None:
            assert [list(record) for record in zip(*columns, strict=True)] == records(text)


@pytest.mark.parametrize(
    "text",
    [
        "a,b,c\nd,e,f\n",
        "a,b,c\r\nd,e,f\r\n",
        "a,b,c",
        ",,\n,,\n",
        '"a","b","c"\n"d","e","f"\n',
        'a,"b, c",d\ne,f,"g"\n',
        '"",a,""\n',
        "\udcff,ü,c\n",
    ],
)
def test_usual_text_needs_no_reader(text):
    columns = columns_of(text, 3)

    assert columns is not None
    assert [list(record) for record in zip(*columns, strict=True)] == records(text)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n",
        "a,b,c,d\n",
        "a,b,c\n\nd,e,f\n",
        'a,"b\nc",d\n',
        'a,"b""c",d\n',
        'a,b"c"d,e\n',
        'a,"b"c,d\n',
        'a,"b,c\n',
        "a,b\rc,d\n",
        "a,b\x1fc,d\n",
        f"a,{'b' * 131_073},c\n",
    ],
)
def test_unusual_text_is_left_to_a_reader(text):
    assert columns_of(text, 3) is None
