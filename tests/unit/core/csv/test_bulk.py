"""Records of a file, many at once: what each gives alone, in memory that stays flat."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.csv import bulk
from lambda_app.core.csv.bulk import CsvFile
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.csv.rows import parse_record
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.errors import InvalidMessage
from tests.support.parsed_csv import GOOD, HEADER, NOW, AcceptedLine, parse, same, values_of

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
