"""Lines of a file into records: each is accounted for, with its line and its bytes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.csv import lines, records
from lambda_app.core.csv.records import Records, RejectedLine
from tests.support.parsed_csv import GOOD, HEADER, AcceptedLine, parse


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("T2,A1,purchase,12.30", "4 fields where the header names 5"),
        ("T2,A1,purchase,12.30,2026-11-23T08:00:00Z,more", "6 fields where the header names 5"),
        ("T2,,purchase,12.30,2026-11-23T08:00:00Z", "account_id is missing"),
        ("T2,A1,purchase,,2026-11-23T08:00:00Z", "amount is missing"),
        ("T2,A1,purchase,12.345,2026-11-23T08:00:00Z", "amount has 3 decimals"),
        ("T2,A1,purchase,NaN,2026-11-23T08:00:00Z", "amount is not a number: 'NaN'"),
        ("T2,A1,purchase,1_000,2026-11-23T08:00:00Z", "amount is not a number: '1_000'"),
        ("T2,A1,purchase,٣,2026-11-23T08:00:00Z", "amount is not a number"),
        ("T2,A1,purchase,12.30,1970-01-01T00:00:00Z", "2000"),
        (
            "T2,A\udcff,purchase,12.30,2026-11-23T08:00:00Z",
            "account_id: byte 0xFF is not UTF-8; save the file as UTF-8",
        ),
        ("T2,A\0,purchase,12.30,2026-11-23T08:00:00Z", "NUL"),
        ('T2,"A"1,purchase,12.30,2026-11-23T08:00:00Z', "not CSV"),
        ('T2,"A1,purchase,12.30,2026-11-23T08:00:00Z', "not CSV"),  # a quote that is never closed
    ],
)
def test_bad_line_is_named_and_its_neighbours_are_kept(line, reason):
    before, bad, after = parse(f"{HEADER}\n{GOOD}\n{line}\n{GOOD}\n")

    assert isinstance(before, AcceptedLine)
    assert isinstance(after, AcceptedLine)
    assert after.line == 4
    assert isinstance(bad, RejectedLine)
    assert bad.line == 3
    assert reason in bad.reason
    assert bad.raw == f"{line}\n".encode("utf-8", "surrogateescape")


def test_line_numbers_count_the_lines_of_quoted_fields():
    text = f'{HEADER},location\n{GOOD},"two\nlines"\n{GOOD},"three\n\r\nlines"\nbad\n{GOOD},last\n'

    lines = [(type(each), each.line) for each in parse(text)]

    assert lines == [(AcceptedLine, 2), (AcceptedLine, 4), (RejectedLine, 7), (AcceptedLine, 8)]


@given(
    lines=st.lists(
        st.sampled_from([GOOD, "bad", 'T,"', "", '"', f'{GOOD[:2]},"a\nb"', "T,A,p,1,2999-01-01"]), max_size=30
    )
)
def test_each_line_is_accounted_for_in_order(lines):
    text = f"{HEADER}\n" + "".join(f"{line}\n" for line in lines)

    result = parse(text)

    numbers = [each.line for each in result]
    assert numbers == sorted(set(numbers))
    raw = b"".join(each.raw for each in result)
    assert raw.replace(b"\n", b"") == text.removeprefix(HEADER).encode().replace(b"\n", b"")


def test_lines_that_were_peeked_at_are_skipped_or_taken() -> None:
    read = Records(io.BytesIO(b"a,b\n1,2\n3,4\n"))

    header = read.take(1)
    assert (header.lines, header.records) == ([1], [["a", "b"]])
    assert read.peek() == b"1,2\n3,4\n"
    assert read.peek() == b"1,2\n3,4\n"
    assert list(read.skip(2)) == [2, 3]
    assert read.peek() == b""
    assert read.take().records == []


def test_taken_records_know_their_lines_and_bytes_and_blank_lines_are_left_out() -> None:
    block = Records(io.BytesIO(b'1,"two\r\nlines"\r\n\r\n3,4\n')).take()

    assert block.lines == [1, 4]
    assert block.raws == [b'1,"two\r\nlines"\r\n', b"3,4\n"]
    assert block.records == [["1", "two\r\nlines"], ["3", "4"]]
    assert block.rejected == []


def test_limit_counts_rejected_lines_too() -> None:
    read = Records(io.BytesIO(b'1\n"2"x\n3\n'))

    block = read.take(2)

    assert (block.records, [each.line for each in block.rejected]) == ([["1"]], [2])
    assert read.take().records == [["3"]]


def test_other_delimiter_is_used_once_it_is_known() -> None:
    read = Records(io.BytesIO(b"1;2\n"))
    read.delimiter = ";"

    assert read.take().records == [["1", "2"]]


def test_byte_that_is_no_utf8_becomes_a_lone_surrogate() -> None:
    [[field]] = Records(io.BytesIO(b"a\xff\n")).take().records

    assert field == "a\udcff"


def test_open_quote_costs_its_own_line_alone() -> None:
    block = Records(io.BytesIO(b'1,"a\n2,b\n3,c\n')).take()

    assert block.records == [["2", "b"], ["3", "c"]]
    assert block.lines == [2, 3]
    [rejected] = block.rejected
    assert (rejected.line, rejected.raw) == (1, b'1,"a\n')
    assert rejected.reason.startswith("not CSV: ")


def test_line_that_is_too_long_is_rejected_with_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lines, records):
        monkeypatch.setattr(module, "LONGEST_LINE_BYTES", 10)
    read = Records(io.BytesIO(b"1\n" + b"x" * 25 + b"\n3\n"))

    records_found, reasons = [], []
    while read.peek():
        block = read.take()
        records_found += block.records
        reasons += [each.reason for each in block.rejected]

    assert (records_found[0], records_found[-1]) == (["1"], ["3"])
    assert any("longer than 10 bytes" in reason for reason in reasons)
