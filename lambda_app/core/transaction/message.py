"""What a valid transaction is, and why another one is not.

Where the rules of the format leave a choice: a repeated field counts by its last value; an optional field that is null
is absent; `event_time` wins over `timestamp`; a byte order mark before the object is skipped.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import msgspec

from lambda_app.core.transaction.amounts import parse_amount, parse_risk_score
from lambda_app.core.transaction.shown import kind, show
from lambda_app.core.transaction.times import parse_time
from lambda_app.errors import InvalidMessage

# Longest text of each field, in characters.
MAX_LENGTHS = {
    "transaction_id": 128,
    "account_id": 128,
    "transaction_type": 64,
    "merchant_category": 128,
    "location": 256,
    "job_id": 128,
}

_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_POSITION = re.compile(r"^JSON is malformed: (.*) \(byte (\d+)\)$")


class IngestionType(StrEnum):
    """The way a transaction came in, as transactions.ingestion_type holds it."""

    STREAM = "STREAM"
    BATCH = "BATCH"


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
    value = value.removeprefix(BOM_UTF8)
    try:
        fields = _DECODER.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidMessage) as error:
        raise InvalidMessage(_undecodable(value, error)) from error
    return _transaction(fields, now)


def validate_fields(fields: Mapping[str, object], now: datetime) -> Transaction:
    """The transaction in named values: text as str, numbers as int or Decimal, card_present as bool.

    Raises InvalidMessage.
    """
    return _transaction(_Fields(*map(fields.get, _Fields.__struct_fields__)), now)


def _transaction(fields: _Fields, now: datetime) -> Transaction:
    card_present = fields.card_present
    if card_present is not None and not isinstance(card_present, bool):
        raise InvalidMessage(f"card_present must be true or false, not {kind(card_present)}: {show(card_present)}")
    time_name = "timestamp" if fields.event_time is None else "event_time"
    return Transaction(
        job_id=_optional_text("job_id", fields.job_id),
        transaction_id=_required_text("transaction_id", fields.transaction_id),
        account_id=_required_text("account_id", fields.account_id),
        transaction_type=_required_text("transaction_type", fields.transaction_type),
        amount=parse_amount(fields.amount),
        event_time=parse_time(time_name, getattr(fields, time_name), now),
        merchant_category=_optional_text("merchant_category", fields.merchant_category),
        location=_optional_text("location", fields.location),
        card_present=card_present,
        risk_score=None if fields.risk_score is None else parse_risk_score(fields.risk_score),
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
        raise InvalidMessage(f"{name} must be text, not {kind(value)}: {show(value)}")
    if len(value) > MAX_LENGTHS[name]:
        raise InvalidMessage(f"{name} has {len(value)} characters, more than {MAX_LENGTHS[name]}")
    if "\0" in value:
        raise InvalidMessage(f"{name} holds a NUL character: {show(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidMessage(f"{name} holds a lone surrogate: {show(value)}") from error
    return value


def parse_decimal(text: str) -> Decimal:
    """A number as JSON spells it. Raises InvalidMessage."""
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidMessage(f"not a number anyone can store: {show(text)}") from error


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


_DECODER = msgspec.json.Decoder(_Fields, float_hook=parse_decimal)
# Decodes a single value; a number becomes int or Decimal.
NUMBER_DECODER = msgspec.json.Decoder(float_hook=parse_decimal)
