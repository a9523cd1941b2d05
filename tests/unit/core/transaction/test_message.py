"""What is a valid message, and the reason each other one gets."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_app.core.transaction.message import MAX_LENGTHS, Transaction, parse_message, validate_fields
from lambda_app.errors import InvalidMessage

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FIELDS: dict[str, object] = {
    "transaction_id": "TXN-1",
    "account_id": "ACC-1",
    "transaction_type": "purchase",
    "amount": 12.5,
    "event_time": "2026-06-15T11:59:59.123456Z",
}


def encode(**changes: object) -> bytes:
    """The valid message with changes; `...` leaves a field out."""
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not ...}
    return json.dumps(fields).encode()


def with_amount(spelling: str) -> bytes:
    """The valid message with its amount spelled like this."""
    return encode(amount=0).replace(b'"amount": 0', b'"amount": ' + spelling.encode())


def reason_of(value: bytes | None) -> str:
    with pytest.raises(InvalidMessage) as caught:
        parse_message(value, NOW)
    return str(caught.value)


def test_message_gives_all_its_fields() -> None:
    value = encode(
        merchant_category="grocery", location="Bonn, NW", card_present=False, risk_score=0.85, job_id="J1", merchant="x"
    )

    assert parse_message(value, NOW) == Transaction(
        job_id="J1",
        transaction_id="TXN-1",
        account_id="ACC-1",
        transaction_type="purchase",
        amount=Decimal("12.50"),
        event_time=datetime(2026, 6, 15, 11, 59, 59, 123456, tzinfo=UTC),
        merchant_category="grocery",
        location="Bonn, NW",
        card_present=False,
        risk_score=Decimal("0.85"),
    )


def test_message_has_only_its_required_fields() -> None:
    transaction = parse_message(encode(), NOW)

    assert (transaction.job_id, transaction.merchant_category, transaction.location) == (None, None, None)
    assert (transaction.card_present, transaction.risk_score) == (None, None)


@pytest.mark.parametrize(
    ("spelling", "amount"),
    [
        ("12", "12.00"),
        ("0.1", "0.10"),
        ("-0.01", "-0.01"),
        ("-0.0", "0.00"),
        # By value, not by spelling.
        ("1e2", "100.00"),
        ("1250000e-4", "125.00"),
        ("12.34000000000000000000000000000000000000", "12.34"),
        ("0e999999999", "0.00"),
        ("9999999999.99", "9999999999.99"),
        ("-9999999999.99", "-9999999999.99"),
        # A float would be off by one here.
        ("9007199254.74", "9007199254.74"),
        # A double's artefact is the hundredth that was meant.
        ("0.30000000000000004", "0.30"),
        ("-1.0000000009999", "-1.00"),
        ("1e-999999999", "0.00"),
        # How Debezium and Protobuf keep decimals.
        ('"12.34"', "12.34"),
        ('"-0012.3400"', "-12.34"),
        ('"+5"', "5.00"),
        ('"0.30000000000000004"', "0.30"),
    ],
)
def test_amount_is_taken_exactly(spelling: str, amount: str) -> None:
    assert parse_message(with_amount(spelling), NOW).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("12.345", "amount has 3 decimals, more than 2: 12.345"),
        ("1.005", "amount has 3 decimals, more than 2: 1.005"),
        ("1.0000000011", "amount has 10 decimals, more than 2: 1.0000000011"),
        ("9999999999.9999999999", "amount must be between -10^10 and 10^10: 9999999999.9999999999"),
        ("10000000000", "amount must be between -10^10 and 10^10: 10000000000"),
        ("-1e999999999", "amount must be between -10^10 and 10^10: -1E+999999999"),
        ("1e99999999999999999999", "not a number anyone can store: '1e99999999999999999999'"),
        ("9" * 5000, "a number with thousands of digits: amount"),
        ('"12,50"', "amount has a decimal comma or separates thousands: send 1234.56: '12,50'"),
        ('"1,234.56"', "amount has a decimal comma or separates thousands: send 1234.56: '1,234.56'"),
        ('"1e2"', "amount must be a number, or text that is a plain decimal such as 12.34: '1e2'"),
        ('" 12.50"', "amount must be a number, or text that is a plain decimal such as 12.34: ' 12.50'"),
        ('"NaN"', "amount must be a number, or text that is a plain decimal such as 12.34: 'NaN'"),
        ('"\u0661"', "amount must be a number, or text that is a plain decimal such as 12.34: '\u0661'"),
        ('"1.005"', "amount has 3 decimals, more than 2: '1.005'"),
        ("true", "amount must be a number, not true or false: true"),
        ("null", "amount is missing"),
        ("[1]", "amount must be a number, not a list: [1]"),
        ('{"value": 1}', 'amount must be a number, not an object: {"value":1}'),
        ("NaN", 'not JSON: invalid character at byte 93: \'"amount": NaN, "event_time": "\''),
        ("-Infinity", "not JSON: invalid character at byte 94: 'amount\": -Infinity, \"event_tim'"),
        ("012", 'not JSON: invalid number at byte 94: \'amount": 012, "event_time": "2\''),
    ],
)
def test_amount_is_refused_with_its_reason(spelling: str, reason: str) -> None:
    assert reason_of(with_amount(spelling)) == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the message has no value"),
        (b"", "not JSON: it is empty"),
        (b" ", "not JSON: it is empty"),
        (b"hello", "not JSON: invalid character at byte 0: 'hello'"),
        (b'{"transaction_id": "TX', "not JSON: it ends too early"),
        (b"\xef\xbb\xbf", "not JSON: it is empty"),
        (b"\xef\xbb\xbf{}", "transaction_id is missing"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON: invalid character at byte 0: '\\ufeff{}'"),
        (b"[1, 2]", "JSON, but no object: it is array"),
        (b'"text"', "JSON, but no object: it is str"),
        (b"null", "JSON, but no object: it is null"),
        (b"{}", "transaction_id is missing"),
        (b'{"x": ' + b"[" * 100_000, "not JSON we can read: nested too deeply"),
        (encode(transaction_id="\ud800"), "not JSON: a lone surrogate"),
        (encode(account_id="A\udc00"), "not JSON: a lone surrogate"),
        (encode().replace(b"TXN-1", b"TXN-\xff"), "not JSON: the text is not UTF-8 (invalid start byte)"),
    ],
)
def test_message_that_cannot_be_decoded_is_refused_with_its_reason(value: bytes | None, reason: str) -> None:
    assert reason_of(value) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transaction_id": ...}, "transaction_id is missing"),
        ({"account_id": None}, "account_id is missing"),
        ({"transaction_type": ""}, "transaction_type is empty"),
        ({"transaction_id": 17}, "transaction_id must be text, not a number: 17"),
        ({"account_id": ["A"]}, 'account_id must be text, not a list: ["A"]'),
        ({"transaction_id": "x" * 129}, "transaction_id has 129 characters, more than 128"),
        ({"transaction_type": "x" * 65}, "transaction_type has 65 characters, more than 64"),
        ({"location": "x" * 1_000_000}, "location has 1000000 characters, more than 256"),
        ({"location": "a\0b"}, "location holds a NUL character: 'a\\x00b'"),
        ({"merchant_category": 5.5}, "merchant_category must be text, not a number: 5.5"),
        ({"job_id": True}, "job_id must be text, not true or false: true"),
        ({"card_present": 1}, "card_present must be true or false, not a number: 1"),
        ({"card_present": "true"}, "card_present must be true or false, not text: 'true'"),
        ({"risk_score": "0.5"}, "risk_score must be a number, not text: '0.5'"),
        ({"risk_score": -0.001}, "risk_score must be between 0 and 99.99: -0.001"),
        ({"risk_score": 99.995}, "risk_score must be between 0 and 99.99: 99.995"),
        ({"risk_score": 1e300}, "risk_score must be between 0 and 99.99: 1E+300"),
        ({"event_time": ...}, "event_time is missing, and timestamp too"),
        (
            {"event_time": True},
            "event_time must be text in ISO 8601 or whole milliseconds since 1970, not true or false: true",
        ),
        ({"event_time": 0}, "event_time is before 2000-01-01: 0"),
        ({"event_time": 946684799999}, "event_time is before 2000-01-01: 946684799999"),
        ({"event_time": 1e300}, "event_time is more than one day ahead: 1E+300"),
        ({"event_time": 1781611200001}, "event_time is more than one day ahead: 1781611200001"),
        ({"event_time": "1970-01-01T00:00:00Z"}, "event_time is before 2000-01-01: '1970-01-01T00:00:00Z'"),
        ({"event_time": "2999-01-01T00:00:00Z"}, "event_time is more than one day ahead: '2999-01-01T00:00:00Z'"),
        ({"event_time": "2026-02-30T00:00:00Z"}, "event_time is no real time: '2026-02-30T00:00:00Z'"),
        ({"event_time": "2026-06-15T11:61:00Z"}, "event_time is no real time: '2026-06-15T11:61:00Z'"),
        ({"event_time": "2026-06-15T24:30:00Z"}, "event_time is no real time: '2026-06-15T24:30:00Z'"),
        # Year 1 in a zone east of Greenwich is before the first day that exists.
        ({"event_time": "0001-01-01T00:00:00+14:00"}, "event_time is no real time: '0001-01-01T00:00:00+14:00'"),
        (
            {"event_time": ..., "timestamp": "yesterday"},
            "timestamp is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z: 'yesterday'",
        ),
    ],
)
def test_field_is_refused_with_its_reason(changes: dict[str, object], reason: str) -> None:
    assert reason_of(encode(**changes)) == reason


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("2026-06-15T24:00:00Z", "is at 24:00: send 00:00 of the next day"),
        ("2026-06-15 24:00", "is at 24:00: send 00:00 of the next day"),
        ("2026-06-30T23:59:60Z", "is in a leap second, second 60: send second 59"),
        ("2026-06-30t23:59:60,5+01:00", "is in a leap second, second 60: send second 59"),
        ("2026-W25-1", "is a week date: send year, month and day"),
        ("2026W251T110000Z", "is a week date: send year, month and day"),
        ("2026-166", "is an ordinal date: send year, month and day"),
        ("2026-166T11:00:00Z", "is an ordinal date: send year, month and day"),
        ("20260615T110000Z", "lacks its separators: send it such as 2026-01-31T23:59:59Z"),
        ("2026-06-15", "is a date without a time of day"),
        ("2026-06-15 11:00:00 UTC", "names its zone: send Z or an offset such as +01:00"),
        ("2026-06-15T11:00+02:00[Europe/Berlin]", "names its zone: send Z or an offset such as +01:00"),
        ("1781517600000", "is a number in text: send whole milliseconds since 1970 as a number, without quotes"),
        ("2026-06-15T11Z", "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z"),
        ("2026-06-15T11:00.5Z", "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z"),
        ("2026-06-15T11:00:00+02:99", "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z"),
        ("2026-06-15 11:00 PM", "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z"),
        ("15.06.2026 11:00", "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z"),
        (1781517600, "looks like seconds since 1970: send whole milliseconds"),
        (1781517600.25, "looks like seconds since 1970: send whole milliseconds"),
        (1781517600000000, "looks like microseconds since 1970: send whole milliseconds"),
        (1781517600000000000, "looks like nanoseconds since 1970: send whole milliseconds"),
        (1781517600000.5, "has a fraction of a millisecond: send whole milliseconds"),
    ],
)
def test_time_is_refused_by_the_name_of_its_fault(value: object, fault: str) -> None:
    shown = repr(value) if isinstance(value, str) else json.dumps(value)

    assert reason_of(encode(event_time=value)) == f"event_time {fault}: {shown}"


@pytest.mark.parametrize(
    ("spelling", "time"),
    [
        ("2026-06-15T11:00Z", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        ("2026-06-15T11:00", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        ("2026-06-15T11:00+02:00", datetime(2026, 6, 15, 9, tzinfo=UTC)),
        ("2026-06-15t11:00:00z", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        ("2026-06-15T11:00:00,25Z", datetime(2026, 6, 15, 11, 0, 0, 250_000, tzinfo=UTC)),
        # Whole milliseconds since 1970, by value.
        (1781521200123, datetime(2026, 6, 15, 11, 0, 0, 123_000, tzinfo=UTC)),
        (1781521200000.0, datetime(2026, 6, 15, 11, tzinfo=UTC)),
        (946684800000, datetime(2000, 1, 1, tzinfo=UTC)),
        (1781611200000, NOW + timedelta(days=1)),
        ("2026-06-15T11:00:00Z", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        ("2026-06-15 11:00:00Z", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        # No zone is UTC.
        ("2026-06-15T11:00:00", datetime(2026, 6, 15, 11, tzinfo=UTC)),
        ("2026-06-15T11:00:00.5", datetime(2026, 6, 15, 11, 0, 0, 500_000, tzinfo=UTC)),
        # What is beyond the microsecond is cut, so that no time moves into the next minute.
        ("2026-06-15T11:00:59.999999999Z", datetime(2026, 6, 15, 11, 0, 59, 999_999, tzinfo=UTC)),
        ("2026-06-15T11:00:00+02:00", datetime(2026, 6, 15, 9, tzinfo=UTC)),
        ("2026-06-15T11:00:00-0330", datetime(2026, 6, 15, 14, 30, tzinfo=UTC)),
        ("2026-06-15T11:00:00+02", datetime(2026, 6, 15, 9, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-06-16T12:00:00Z", NOW + timedelta(days=1)),
    ],
)
def test_time_is_read_in_each_spelling(spelling: object, time: datetime) -> None:
    assert parse_message(encode(event_time=spelling), NOW).event_time == time


def test_timestamp_serves_when_event_time_is_absent() -> None:
    by_timestamp = encode(event_time=..., timestamp="2026-06-15T11:00:00Z")
    by_null = encode(event_time=None, timestamp="2026-06-15T11:00:00Z")
    both = encode(timestamp="rubbish")

    assert parse_message(by_timestamp, NOW).event_time.hour == 11
    assert parse_message(by_null, NOW).event_time.hour == 11
    assert parse_message(both, NOW).event_time.minute == 59


@pytest.mark.parametrize(
    ("risk_score", "rounded"), [(0, "0.00"), (-0.0, "0.00"), (0.005, "0.01"), (0.125, "0.13"), (99.994, "99.99")]
)
def test_risk_score_is_rounded_to_two_decimals(risk_score: float, rounded: str) -> None:
    assert str(parse_message(encode(risk_score=risk_score), NOW).risk_score) == rounded


def test_repeated_field_counts_by_its_last_value() -> None:
    value = encode().replace(b'"amount": 12.5', b'"amount": "text", "amount": 7')

    assert parse_message(value, NOW).amount == 7


def test_unknown_field_is_ignored_whatever_is_in_it() -> None:
    deep = b'"x": ' + b"[" * 500 + b"]" * 500
    huge = b'"y": ' + b"9" * 5000 + b', "z": 1e99999999999999999999, '

    assert parse_message(encode().replace(b"{", b"{" + deep + b", " + huge, 1), NOW).transaction_id == "TXN-1"


def test_fields_of_a_file_obey_the_same_rules() -> None:
    fields = FIELDS | {"amount": Decimal("12.50"), "card_present": True}

    assert validate_fields(fields, NOW).amount == Decimal("12.50")
    with pytest.raises(InvalidMessage, match="account_id holds a lone surrogate"):
        validate_fields(fields | {"account_id": "A\udcff"}, NOW)
    with pytest.raises(InvalidMessage, match="amount must be a number, not NaN"):
        validate_fields(fields | {"amount": Decimal("NaN")}, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*MAX_LENGTHS, "amount", "event_time", "risk_score", "card_present"]), json_values)
)
def test_any_json_value_in_any_field_is_taken_or_refused(changes: dict[str, object]) -> None:
    try:
        transaction = parse_message(json.dumps(FIELDS | changes).encode(), NOW)
    except InvalidMessage as error:
        assert 0 < len(str(error)) < 250
        assert "\0" not in str(error)
        str(error).encode()
    else:
        assert 1 <= len(transaction.transaction_id) <= 128
        assert abs(transaction.amount) < 10**10


@given(st.binary())
@example(b'{"amount":' + b"[" * 900 + b"]" * 900 + b"}")
def test_any_bytes_are_taken_or_refused(value: bytes) -> None:
    assert reason_of(value)


@given(st.decimals(min_value="-9999999999.99", max_value="9999999999.99", places=2))
def test_any_amount_of_two_decimals_is_taken_exactly(amount: Decimal) -> None:
    assert parse_message(with_amount(str(amount)), NOW).amount == amount


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2026, 6, 15)),  # noqa: DTZ001
    st.timezones(),
)
def test_any_time_with_its_zone_is_the_same_instant(time: datetime, zone: object) -> None:
    aware = time.replace(tzinfo=UTC).astimezone(zone)  # type: ignore[arg-type]
    offset = aware.utcoffset()
    if offset is None or offset.total_seconds() % 60 or aware.year < 2000:
        # ISO 8601 has no spelling for the offsets of the nineteenth century.
        return

    assert parse_message(encode(event_time=aware.isoformat()), NOW).event_time == aware
