"""What a CSV record means: the header names the columns, in any order, values pass the same rules as a message's.

`timestamp` is another name for `event_time`, unknown columns are ignored, an empty field is an absent one. Blanks
around a number, a time or a boolean are ignored.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from lambda_app.core.csv.header import KNOWN_COLUMNS, TIME_COLUMNS, Header
from lambda_app.core.transaction.message import Transaction, validate_fields
from lambda_app.errors import InvalidMessage

# A number as JSON writes it: no underscores, NaN or digits of other scripts.
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
BOOLEAN_TEXTS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}

_NUMBERS = ("amount", "risk_score")
# Such as 12,34 or 1.234,50, which spreadsheets write in many countries.
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9.]*,[0-9]*")
# A time of digits alone is milliseconds since 1970.
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")
# How `surrogateescape` decodes a byte that is not UTF-8.
_FOREIGN_BYTE = re.compile("[\udc80-\udcff]")


def parse_record(columns: Sequence[str], record: Sequence[str], now: datetime, job_id: str | None) -> Transaction:
    """The transaction in a record's fields. Raises InvalidMessage."""
    if len(record) != len(columns):
        raise InvalidMessage(f"{len(record)} fields where the header names {len(columns)}")
    return validate_fields(_typed_fields(columns, record, job_id), now)


def parse_raw_record(header: Header, raw: bytes, now: datetime, job_id: str | None) -> Transaction:
    """The transaction in a record's bytes, apart from its file. Raises InvalidMessage."""
    try:
        # The reader gets the bytes as a single line: a line break within quotes is fine, a second record is an error.
        text = raw.decode("utf-8", "surrogateescape")
        record = next(csv.reader([text], delimiter=header.delimiter, strict=True))
    except csv.Error as error:
        raise InvalidMessage(f"not CSV: {error}") from error
    return parse_record(header.columns, record, now, job_id)


def parse_number(name: str, text: str) -> Decimal:
    """A number, blanks around it allowed. Raises InvalidMessage."""
    text = text.strip()
    if _DECIMAL_COMMA.fullmatch(text):
        raise InvalidMessage(f"{name} has a decimal comma: {text[:40]!r}; write a point, and nothing between thousands")
    if not NUMBER.fullmatch(text):
        raise InvalidMessage(f"{name} is not a number: {text[:40]!r}")
    return Decimal(text)


def parse_time_field(text: str) -> str | int:
    """The time in a field as a message would give it: digits alone are milliseconds since 1970."""
    text = text.strip()
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text


def _typed_fields(columns: Sequence[str], record: Sequence[str], job_id: str | None) -> Mapping[str, object]:
    texts = {name: value for name, value in zip(columns, record, strict=True) if value and name in KNOWN_COLUMNS}
    for name, text in texts.items():
        if foreign := _FOREIGN_BYTE.search(text):
            byte = ord(foreign[0]) - 0xDC00
            raise InvalidMessage(f"{name}: byte 0x{byte:02X} is not UTF-8; save the file as UTF-8")
    fields: dict[str, object] = dict(texts)
    for name in (*_NUMBERS, *TIME_COLUMNS, "card_present"):
        text = texts.get(name, "").strip()
        if not text:
            fields.pop(name, None)
        elif name in _NUMBERS:
            fields[name] = parse_number(name, text)
        elif name == "card_present":
            fields[name] = _boolean(text)
        else:
            fields[name] = parse_time_field(text)
    fields["job_id"] = job_id
    return fields


def _boolean(text: str) -> bool:
    try:
        return BOOLEAN_TEXTS[text.lower()]
    except KeyError:
        raise InvalidMessage(f"card_present is neither true nor false: {text[:40]!r}") from None
