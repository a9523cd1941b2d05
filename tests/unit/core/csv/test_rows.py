"""What a record means: typed values, absent ones, and a record apart from its file."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.csv.header import Header
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.csv.rows import parse_number, parse_raw_record, parse_record, parse_time_field
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.errors import InvalidMessage
from tests.support.parsed_csv import GOOD, HEADER, NOW, AcceptedLine, parse, same, values_of


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


def test_card_present_that_is_no_boolean_is_rejected():
    [bad] = parse(f"{HEADER},card_present\n{GOOD},maybe\n")

    assert bad == RejectedLine(2, f"{GOOD},maybe\n".encode(), "card_present is neither true nor false: 'maybe'")


@given(
    location=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40),
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


@pytest.mark.parametrize(
    ("text", "number"),
    [(" 12.30 ", "12.30"), ("+1", "1"), ("1e2", "1E+2"), ("-0.5E-1", "-0.05"), ("007", "7")],
)
def test_number_is_read_as_json_writes_it_or_with_a_sign_and_zeros(text: str, number: str) -> None:
    assert str(parse_number("amount", text)) == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12,34", "amount has a decimal comma: '12,34'; write a point, and nothing between thousands"),
        ("1.234,50", "amount has a decimal comma"),
        (".5", "amount is not a number: '.5'"),
        ("5.", "amount is not a number"),
        ("1e1000", "amount is not a number"),
        ("0x10", "amount is not a number"),
        ("Infinity", "amount is not a number"),
        ("", "amount is not a number: ''"),
    ],
)
def test_text_that_is_no_number_is_refused_with_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as error:
        parse_number("amount", text)

    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (" 2026-11-23 08:00 ", "2026-11-23 08:00"),
        ("1780000000000", 1_780_000_000_000),
        ("-1", -1),
        ("1780000000000.5", "1780000000000.5"),
        ("9" * 31, "9" * 31),
    ],
)
def test_digits_alone_are_milliseconds_in_a_field_of_time(text: str, time: str | int) -> None:
    assert parse_time_field(text) == time


def test_record_of_another_width_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="2 fields where the header names 3"):
        parse_record(["transaction_id", "account_id", "amount"], ["T1", "A1"], NOW, None)


def test_timestamp_counts_where_event_time_is_empty() -> None:
    columns = [*HEADER.split(","), "timestamp"]

    record = parse_record(columns, ["T1", "A1", "purchase", "1", " ", "2026-11-23T09:00:00Z"], NOW, None)

    assert record.event_time == datetime(2026, 11, 23, 9, tzinfo=UTC)
