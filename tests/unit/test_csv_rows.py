"""CSV into transactions: any column order, typed values, bad lines by number, good neighbours kept."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.csv_rows import AcceptedLine, RejectedLine, parse_csv, parse_record
from lambda_app.core.message import Transaction
from lambda_app.errors import InvalidFile, InvalidMessage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEADER = "transaction_id,account_id,transaction_type,amount,event_time"
GOOD = "T1,A1,purchase,12.30,2026-11-23T08:00:00Z"


def parse(text: str | bytes):
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return list(parse_csv(io.BytesIO(content), NOW, "BAT00001"))


def test_values_become_typed_fields():
    [accepted] = parse(
        "risk_score,card_present,location,merchant_category,transaction_id,account_id,transaction_type,amount,timestamp,x\n"
        '0.50,TRUE,"Austin, TX",gas,T1,A1,purchase,-12.30,2026-11-23 08:00:00,ignored\n'
    )

    assert accepted.line == 2
    assert accepted.transaction == Transaction(
        job_id="BAT00001",
        transaction_id="T1",
        account_id="A1",
        transaction_type="purchase",
        amount=Decimal("-12.30"),
        event_time=datetime(2026, 11, 23, 8, tzinfo=UTC),
        merchant_category="gas",
        location="Austin, TX",
        card_present=True,
        risk_score=Decimal("0.50"),
    )


def test_empty_optional_fields_are_absent():
    [accepted] = parse(f"{HEADER},location,card_present,risk_score\n{GOOD},,,\n")

    row = accepted.transaction
    assert (row.location, row.card_present, row.risk_score) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEADER}\n{GOOD}\n",  # a byte order mark
        f"{HEADER}\r\n{GOOD}\r\n",
        f"{HEADER}\n{GOOD}",  # no end of line at the end
        f"{HEADER}\n\n{GOOD}\n\n",  # blank lines
        f'"transaction_id", Account_ID ,transaction_type,amount,event_time\n{GOOD}\n',
    ],
)
def test_dialects_of_csv_are_read(text):
    [accepted] = parse(text)

    assert accepted.transaction.transaction_id == "T1"


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
        ("T2,A\udcff,purchase,12.30,2026-11-23T08:00:00Z", "lone surrogate"),  # a byte that is no UTF-8
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


def test_card_present_that_is_no_boolean_is_rejected():
    [bad] = parse(f"{HEADER},card_present\n{GOOD},maybe\n")

    assert bad == RejectedLine(2, f"{GOOD},maybe\n".encode(), "card_present is neither true nor false: 'maybe'")


def test_line_numbers_count_the_lines_of_quoted_fields():
    text = f'{HEADER},location\n{GOOD},"two\nlines"\n{GOOD},"three\n\r\nlines"\nbad\n{GOOD},last\n'

    lines = [(type(each), each.line) for each in parse(text)]

    assert lines == [(AcceptedLine, 2), (AcceptedLine, 4), (RejectedLine, 7), (AcceptedLine, 8)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("\n", "lacks transaction_id, account_id, transaction_type, amount, event_time"),
        ("transaction_id,account_id,amount,timestamp\n", "lacks transaction_type"),
        (f"{HEADER},amount\n", "names amount more than once"),
        (f'"{HEADER}\n', "the header is not CSV"),
    ],
)
def test_file_without_a_usable_header_is_refused(text, reason):
    with pytest.raises(InvalidFile, match=reason):
        parse(text)


FREE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
ROWS = st.lists(
    st.tuples(
        FREE_TEXT,
        st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2),
        st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 24)),  # noqa: DTZ001 - the zone is added below
        st.none() | FREE_TEXT,
        st.none() | st.booleans(),
        st.none() | st.decimals(0, Decimal("99.99"), places=2),
    ),
    max_size=20,
)
COLUMNS = ["account_id", "amount", "event_time", "location", "card_present", "risk_score"]


@given(rows=ROWS, order=st.permutations(range(6)), line_end=st.sampled_from(["\n", "\r\n"]))
def test_whatever_a_csv_writer_writes_comes_back_the_same(rows, order, line_end):
    text = io.StringIO()
    # Python's writer leaves a lone carriage return unquoted otherwise, which no reader can undo.
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["transaction_id", "transaction_type", *[COLUMNS[place] for place in order]])
    for number, row in enumerate(rows):
        writer.writerow([f"T{number}", "purchase", *[row[place] for place in order]])

    result = parse(text.getvalue())

    expected = [(row[0], row[1], row[2].replace(tzinfo=UTC), *row[3:]) for row in rows]
    assert [tuple(getattr(each.transaction, name) for name in COLUMNS) for each in result] == expected


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


def test_memory_does_not_grow_with_the_file():
    def file_of(rows):
        yield f"{HEADER}\n".encode()
        for number in range(rows):
            yield f"T{number},A1,purchase,12.30,{NOW - timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}\n".encode()

    tracemalloc.start()
    count = sum(isinstance(each, AcceptedLine) for each in parse_csv(file_of(20_000), NOW, "BAT00001"))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak_bytes < 1_000_000


@given(
    location=FREE_TEXT,
    line=st.sampled_from(
        [GOOD, GOOD.replace("12.30", "12.345"), "T1,A1", f'"{GOOD}', f"\udcff{GOOD}", f"{GOOD[:2]}\r{GOOD}"]
    ),
)
def test_record_alone_is_judged_as_in_its_file(location, line):
    quoted = location.replace('"', '""')

    result = parse(f'{HEADER},location\n{line},"{quoted}"\n')

    columns = [*HEADER.split(","), "location"]
    for judged in result:
        if isinstance(judged, AcceptedLine):
            assert parse_record(columns, judged.raw, NOW, "BAT00001") == judged.transaction
        else:
            with pytest.raises(InvalidMessage) as error:
                parse_record(columns, judged.raw, NOW, "BAT00001")
            assert str(error.value) == judged.reason


def test_two_records_are_not_one():
    with pytest.raises(InvalidMessage, match="not CSV"):
        parse_record(HEADER.split(","), f"{GOOD}\n{GOOD}\n".encode(), NOW, "BAT00001")
