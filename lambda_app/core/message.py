"""What a valid transaction is, and why another one is not.

Where the rules of the format leave a choice:
a number counts by its value, not its spelling (1e2 and 12.50000 are fine); a repeated field counts by its last value;
an optional field that is null is absent; `event_time` wins over `timestamp`; digits beyond the microsecond are cut.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

import msgspec

from lambda_app.errors import InvalidMessage

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=1)
AMOUNT_LIMIT = 10**10
RISK_SCORE_LIMIT = Decimal("99.99")
# Longest text of each field, in characters.
MAX_LENGTHS = {
    "transaction_id": 128,
    "account_id": 128,
    "transaction_type": 64,
    "merchant_category": 128,
    "location": 256,
    "job_id": 128,
}

_SHOWN_CHARACTERS = 60
_HUNDREDTH = Decimal("0.01")
_ZERO = Decimal("0.00")
_NUMBERS = (int, Decimal)
_EXACT = Context(prec=40, rounding=ROUND_HALF_UP)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_POSITION = re.compile(r"^JSON is malformed: (.*) \(byte (\d+)\)$")


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A valid transaction, its fields in the order of the table's columns."""

    job_id: str | None
    transaction_id: str
    account_id: str
    transaction_type: str
    amount: Decimal
    # Aware, in UTC.
    event_time: datetime
    merchant_category: str | None
    location: str | None
    card_present: bool | None
    # Rounded to 2 decimals.
    risk_score: Decimal | None


class _Fields(msgspec.Struct):
    """The fields we read; the decoder skips all others, whatever is in them."""

    transaction_id: object = None
    account_id: object = None
    transaction_type: object = None
    amount: object = None
    event_time: object = None
    timestamp: object = None
    merchant_category: object = None
    location: object = None
    card_present: object = None
    risk_score: object = None
    job_id: object = None


def parse_message(value: bytes | None, now: datetime) -> Transaction:
    """The transaction in a Kafka message's value. Raises InvalidMessage with a reason a person understands."""
    if value is None:
        raise InvalidMessage("the message has no value")
    try:
        fields = _DECODER.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidMessage) as error:
        raise InvalidMessage(_undecodable(value, error)) from error
    return _transaction(
        fields.transaction_id,
        fields.account_id,
        fields.transaction_type,
        fields.amount,
        fields.event_time,
        fields.timestamp,
        fields.merchant_category,
        fields.location,
        fields.card_present,
        fields.risk_score,
        fields.job_id,
        now,
    )


def validate_fields(fields: Mapping[str, object], now: datetime) -> Transaction:
    """The transaction in named values: text as str, numbers as int or Decimal, card_present as bool.

    Raises InvalidMessage.
    """
    get = fields.get
    return _transaction(
        get("transaction_id"),
        get("account_id"),
        get("transaction_type"),
        get("amount"),
        get("event_time"),
        get("timestamp"),
        get("merchant_category"),
        get("location"),
        get("card_present"),
        get("risk_score"),
        get("job_id"),
        now,
    )


def _transaction(
    transaction_id: object,
    account_id: object,
    transaction_type: object,
    amount: object,
    event_time: object,
    timestamp: object,
    merchant_category: object,
    location: object,
    card_present: object,
    risk_score: object,
    job_id: object,
    now: datetime,
) -> Transaction:
    if card_present is not None and not isinstance(card_present, bool):
        raise InvalidMessage(f"card_present must be true or false, not {_kind(card_present)}: {_show(card_present)}")
    time_name, time_value = ("event_time", event_time) if event_time is not None else ("timestamp", timestamp)
    return Transaction(
        _optional_text("job_id", job_id),
        _required_text("transaction_id", transaction_id),
        _required_text("account_id", account_id),
        _required_text("transaction_type", transaction_type),
        parse_amount(amount),
        parse_time(time_name, time_value, now),
        _optional_text("merchant_category", merchant_category),
        _optional_text("location", location),
        card_present,
        None if risk_score is None else parse_risk_score(risk_score),
    )


def _required_text(name: str, value: object) -> str:
    if value is None:
        raise InvalidMessage(f"{name} is missing")
    if value == "":
        raise InvalidMessage(f"{name} is empty")
    return _text(name, value)


def _optional_text(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text, not {_kind(value)}: {_show(value)}")
    if len(value) > MAX_LENGTHS[name]:
        raise InvalidMessage(f"{name} has {len(value)} characters, more than {MAX_LENGTHS[name]}")
    if "\0" in value:
        raise InvalidMessage(f"{name} holds a NUL character: {_show(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidMessage(f"{name} holds a lone surrogate: {_show(value)}") from error
    return value


def _number(name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise InvalidMessage(f"{name} must be a number, not {_kind(value)}: {_show(value)}")
    number = Decimal(value)
    if not number.is_finite():
        raise InvalidMessage(f"{name} must be a number, not {_show(value)}")
    return number


def parse_amount(value: object) -> Decimal:
    """An amount given as int or Decimal. Raises InvalidMessage."""
    if value is None:
        raise InvalidMessage("amount is missing")
    number = _number("amount", value)
    # The order of magnitude first: no digit of 1e999999999 is ever written out.
    if number and number.adjusted() >= 10:
        raise InvalidMessage(f"amount must be between -10^10 and 10^10: {_show(value)}")
    hundredths = rounded(number)
    if hundredths != number:
        raise InvalidMessage(f"amount has {_decimals(number)} decimals, more than 2: {_show(value)}")
    return hundredths


def parse_risk_score(value: object) -> Decimal:
    """A risk score given as int or Decimal, rounded. Raises InvalidMessage."""
    number = _number("risk_score", value)
    if number < 0 or number >= 100:
        raise InvalidMessage(f"risk_score must be between 0 and {RISK_SCORE_LIMIT}: {_show(value)}")
    hundredths = abs(rounded(number))
    if hundredths > RISK_SCORE_LIMIT:
        raise InvalidMessage(f"risk_score must be between 0 and {RISK_SCORE_LIMIT}: {_show(value)}")
    return hundredths


def rounded(number: Decimal) -> Decimal:
    """A number below 10**38 to 2 decimals, halves away from zero, as PostgreSQL's numeric rounds."""
    return number.quantize(_HUNDREDTH, context=_EXACT) if number else _ZERO


def parse_time(name: str, value: object, now: datetime) -> datetime:
    """The time in the text of the field `name`. Raises InvalidMessage."""
    if value is None:
        raise InvalidMessage("event_time is missing, and timestamp too")
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text in ISO 8601, not {_kind(value)}: {_show(value)}")
    if _TIME.fullmatch(value) is None:
        raise InvalidMessage(f"{name} is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z: {_show(value)}")
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is not UTC:
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidMessage(f"{name} is no real time: {_show(value)}") from error
    if time < EARLIEST:
        raise InvalidMessage(f"{name} is before 2000-01-01: {_show(value)}")
    if time > now + LATEST_AHEAD:
        raise InvalidMessage(f"{name} is more than one day ahead: {_show(value)}")
    return time


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidMessage(f"not a number anyone can store: {_show(text)}") from error


def _decimals(number: Decimal) -> int:
    _, digits, exponent = number.as_tuple()
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -int(exponent) - trailing_zeros


def _kind(value: object) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        Decimal: "a number",
        str: "text",
        dict: "an object",
        list: "a list",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)


def _show(value: object) -> str:
    """The start of a value, on one line, with nothing in it that PostgreSQL would not store."""
    if isinstance(value, str):
        # Cut first: it may have a million characters.
        text = repr(value[:_SHOWN_CHARACTERS])
    elif isinstance(value, Decimal):
        text = str(value)
    else:
        try:
            text = msgspec.json.encode(value).decode()
        except RecursionError:
            text = f"{_kind(value)}, nested too deeply to show"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _undecodable(value: bytes, error: Exception) -> str:
    if isinstance(error, InvalidMessage):
        return str(error)
    if isinstance(error, RecursionError):
        return "not JSON we can read: nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not JSON: the text is not UTF-8 ({error.reason})"
    text = str(error)
    if text.startswith("Expected `object`"):
        return "JSON, but no object: it is " + text.removeprefix("Expected `object`, got ").replace("`", "")
    if "Integer value out of range" in text:
        return "a number with thousands of digits: " + text.partition(" - at ")[2].strip("`$.")
    if "surrogate" in text or ("truncated" in text and _LONE_SURROGATE.search(value)):
        return "not JSON: a lone surrogate"
    if "truncated" in text:
        return "not JSON: it is empty" if not value.strip() else "not JSON: it ends too early"
    position = _POSITION.match(text)
    if position is None:
        return "not JSON: " + text
    cause, byte = position[1], int(position[2])
    return (
        f"not JSON: {cause} at byte {byte}: {value[max(0, byte - 10) : byte + 20].decode(errors='backslashreplace')!r}"
    )


_DECODER = msgspec.json.Decoder(_Fields, float_hook=_decimal)
# Of one value, its number as int or Decimal.
NUMBER_DECODER = msgspec.json.Decoder(float_hook=_decimal)
