"""CSV into transactions: any column order, typed values, bad lines by number, good neighbours kept."""

import csv
import io
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.csv import bulk
from lambda_app.core.csv.bulk import CsvFile
from lambda_app.core.csv.header import Header
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.csv.rows import parse_raw_record, parse_record
from lambda_app.core.transaction.aggregates import Aggregates
from lambda_app.core.transaction.copy_text import COLUMNS as COPY_COLUMNS
from lambda_app.core.transaction.copy_text import encode_row, unescape
from lambda_app.errors import InvalidFile, InvalidMessage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEADER = "transaction_id,account_id,transaction_type,amount,event_time"
GOOD = "T1,A1,purchase,12.30,2026-11-23T08:00:00Z"


@dataclass(frozen=True)
class AcceptedLine:
    """A row as PostgreSQL will read it, and where it comes from."""

    line: int
    raw: bytes
    values: dict[str, str | None]


def parse(text: str | bytes) -> list[AcceptedLine | RejectedLine]:
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    found: list[AcceptedLine | RejectedLine] = []
    for piece in CsvFile(io.BytesIO(content), "BAT00001", "BATCH").pieces(NOW):
        assert piece.rows.aggregates.work_out() == Aggregates.of_lines(piece.rows.lines).work_out()
        for line, raw, row in zip(piece.lines, piece.raws, piece.rows.lines, strict=True):
            found.append(AcceptedLine(line, raw, values_of(row)))
        found += piece.rejected
    return sorted(found, key=lambda each: each.line)


def values_of(line: str) -> dict[str, str | None]:
    """A COPY line as PostgreSQL reads it."""
    return dict(zip(COPY_COLUMNS, map(unescape, line.removesuffix("\n").split("\t")), strict=True))


def test_values_become_typed_fields():
    [accepted] = parse(
        "risk_score,card_present,location,merchant_category,transaction_id,account_id,transaction_type,amount,timestamp,x\n"
        '0.50,TRUE,"Austin, TX",gas,T1,A1,purchase,-12.30,2026-11-23 08:00:00,ignored\n'
    )

    assert accepted.line == 2
    assert accepted.values == {
        "job_id": "BAT00001",
        "transaction_id": "T1",
        "account_id": "A1",
        "transaction_type": "purchase",
        "amount": "-12.30",
        "event_time": "2026-11-23T08:00:00Z",
        "merchant_category": "gas",
        "location": "Austin, TX",
        "card_present": "t",
        "risk_score": "0.50",
        "ingestion_type": "BATCH",
    }


def test_empty_optional_fields_are_absent():
    [accepted] = parse(f"{HEADER},location,card_present,risk_score\n{GOOD},,,\n")

    assert [accepted.values[name] for name in ("location", "card_present", "risk_score")] == [None] * 3


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

    assert accepted.values["transaction_id"] == "T1"


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
        ("", "the first line is missing or blank"),
        ("\n", "the first line is missing or blank"),
        ("a\n", "lacks transaction_id, account_id, transaction_type, amount, event_time"),
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

    booleans = {None: None, True: "t", False: "f"}
    assert [
        (
            each.values["account_id"],
            Decimal(each.values["amount"]),
            datetime.fromisoformat(each.values["event_time"]),
            each.values["location"],
            each.values["card_present"],
            each.values["risk_score"] and Decimal(each.values["risk_score"]),
        )
        for each in result
    ] == [(row[0], row[1], row[2].replace(tzinfo=UTC), row[3], booleans[row[4]], row[5]) for row in rows]


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


cells = {
    "transaction_id": st.sampled_from(["T1", "T2", "", "T\\t3", "x" * 129]),
    "account_id": st.sampled_from(["A1", "A\udcff", "A\0"]),
    "transaction_type": st.sampled_from(["purchase", "re\\fund", ""]),
    "amount": st.sampled_from(["1", "1.5", "-0.01", "+1", "1e2", "1.234", "", "NaN", "1\n2", "99999999999", "01"]),
    "event_time": st.sampled_from(
        ["2026-11-23T08:00:00Z", "2026-11-23 08:00:00", "2026-11-23T08:00:00", "2026-02-30T00:00:00Z", "", "2999-01-01"]
    ),
    "timestamp": st.sampled_from(["2026-11-22T08:00:00+02:00", "", "never"]),
    "merchant_category": st.sampled_from(["gas", "", "\\N", "a\nb"]),
    "location": st.sampled_from(["Austin, TX", "", "Zürich"]),
    "card_present": st.sampled_from(["true", "F", "Yes", "", "maybe"]),
    "risk_score": st.sampled_from(["0.5", "0.125", "", "99.995", "-1", "0"]),
}


@settings(max_examples=300)
@given(
    header=st.permutations([*cells]).map(lambda names: [name for name in names if name != "location"]),
    unusual=st.lists(st.fixed_dictionaries(cells), max_size=60),
    usual=st.integers(0, 100),
)
def test_many_records_give_what_each_gives_alone(header, unusual, usual):
    plain = dict.fromkeys(cells, "") | dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in [*unusual[: len(unusual) // 2], *[plain] * usual, *unusual[len(unusual) // 2 :]]:
        writer.writerow([row[name] for name in header])

    result = parse(text.getvalue())

    records = csv.reader(io.StringIO(text.getvalue(), newline=""))
    next(records)
    for each, record in zip(result, records, strict=True):
        try:
            expected = encode_row(parse_record(header, record, NOW, "BAT00001"), "BATCH")
        except InvalidMessage as error:
            assert isinstance(each, RejectedLine)
            assert each.reason == str(error)
        else:
            assert isinstance(each, AcceptedLine)
            assert same(each.values) == same(values_of(expected))


def same(values: dict[str, str | None]) -> dict[str, object]:
    """The values, whatever their spelling."""
    return values | {
        "amount": Decimal(str(values["amount"])),
        "event_time": datetime.fromisoformat(str(values["event_time"])),
        "risk_score": values["risk_score"] and Decimal(values["risk_score"]),
    }


def test_valid_records_are_not_judged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "parse_record", pytest.fail)
    lines = [GOOD, GOOD.replace("T08", " 08"), '"T""1",A1,purchase,1e2,2026-11-23T08:00:00', GOOD.replace("A1", "ü")]

    for rows in ([each] * 3000 for each in lines):
        assert len(parse("\n".join([HEADER, *rows]))) == 3000


@pytest.mark.parametrize(
    "bad",
    [
        "2026-11-23T08:00:60Z",
        "2026-11-23T08:00:99Z",
        "2026-11-23T08:60:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-31T08:00:00Z",
        "2026-13-23T08:00:00Z",
        "1999-11-23T08:00:00Z",
        "2026-11-23T08:00:00y",
        "2026-11-23T08:00.00Z",
        "2026-11-23T08:00:0\u0661Z",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 99])
def test_time_that_is_none_is_found_among_those_that_look_alike(bad, place):
    rows = [GOOD.replace("08:00:00", f"08:00:{number % 60:02}") for number in range(100)]
    rows[place] = GOOD.replace("2026-11-23T08:00:00Z", bad)

    refused = [each.line for each in parse("\n".join([HEADER, *rows])) if isinstance(each, RejectedLine)]

    assert refused == [place + 2]


def test_memory_does_not_grow_with_the_file():
    rows = (
        f"T{number},A1,purchase,12.30,{NOW - timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}" for number in range(100_000)
    )
    file = io.BytesIO("\n".join([HEADER, *rows]).encode())

    tracemalloc.start()
    count = sum(len(piece) for piece in CsvFile(file, "BAT00001", "BATCH").pieces(NOW))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 100_000
    assert peak_bytes < 8_000_000


@given(
    location=FREE_TEXT,
    line=st.sampled_from(
        [GOOD, GOOD.replace("12.30", "12.345"), "T1,A1", f'"{GOOD}', f"\udcff{GOOD}", f"{GOOD[:2]}\r{GOOD}"]
    ),
)
def test_record_alone_is_judged_as_in_its_file(location, line):
    quoted = location.replace('"', '""')

    result = parse(f'{HEADER},location\n{line},"{quoted}"\n')

    header = Header((*HEADER.split(","), "location"))
    for judged in result:
        if isinstance(judged, AcceptedLine):
            line = encode_row(parse_raw_record(header, judged.raw, NOW, "BAT00001"), "BATCH")
            assert same(values_of(line)) == same(judged.values)
        else:
            with pytest.raises(InvalidMessage) as error:
                parse_raw_record(header, judged.raw, NOW, "BAT00001")
            assert str(error.value) == judged.reason


def test_two_records_are_not_one():
    with pytest.raises(InvalidMessage, match="not CSV"):
        parse_raw_record(Header(tuple(HEADER.split(","))), f"{GOOD}\n{GOOD}\n".encode(), NOW, "BAT00001")
