"""What a CSV record means: the header names the columns, in any order, values pass the same rules as a message's.

`timestamp` is another name for `event_time`, unknown columns are ignored, an empty field is an absent one.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from lambda_app.core.csv_records import Block
from lambda_app.core.message import Transaction, validate_fields
from lambda_app.errors import InvalidFile, InvalidMessage

REQUIRED_COLUMNS = ("transaction_id", "account_id", "transaction_type", "amount")
TIME_COLUMNS = ("event_time", "timestamp")
# A number as JSON writes it: no blanks, underscores, NaN or digits of other scripts.
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
BOOLEANS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}


def parse_header(block: Block) -> list[str]:
    """The names of the columns, from the file's first record. Raises InvalidFile."""
    if block.rejected:
        raise InvalidFile(f"the header is {block.rejected[0].reason}")
    if not block.records:
        raise InvalidFile("the first line is missing or blank: it must name the columns")
    columns = [name.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").strip().lower() for name in block.records[0]]
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if not any(name in columns for name in TIME_COLUMNS):
        missing.append("event_time")
    if missing:
        raise InvalidFile(f"the header lacks {', '.join(missing)}")
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise InvalidFile(f"the header names {', '.join(doubled)} more than once")
    return columns


def parse_record(columns: Sequence[str], record: Sequence[str], now: datetime, job_id: str | None) -> Transaction:
    """The transaction in a record's fields. Raises InvalidMessage."""
    if len(record) != len(columns):
        raise InvalidMessage(f"{len(record)} fields where the header names {len(columns)}")
    return validate_fields(_typed_fields(columns, record, job_id), now)


def parse_raw_record(columns: Sequence[str], raw: bytes, now: datetime, job_id: str | None) -> Transaction:
    """The transaction in a record's bytes, apart from its file. Raises InvalidMessage."""
    try:
        # Given as one line: a second record in it is an error, a line break in quotes is none.
        record = next(csv.reader([raw.decode("utf-8", "surrogateescape")], strict=True))
    except csv.Error as error:
        raise InvalidMessage(f"not CSV: {error}") from error
    return parse_record(columns, record, now, job_id)


def parse_number(name: str, text: str) -> Decimal:
    """A number. Raises InvalidMessage."""
    if not NUMBER.fullmatch(text):
        raise InvalidMessage(f"{name} is not a number: {text[:40]!r}")
    return Decimal(text)


def _typed_fields(columns: Sequence[str], record: Sequence[str], job_id: str | None) -> Mapping[str, object]:
    fields: dict[str, object] = {name: value for name, value in zip(columns, record, strict=True) if value}
    for name in ("amount", "risk_score"):
        if name in fields:
            fields[name] = parse_number(name, str(fields[name]))
    if "card_present" in fields:
        fields["card_present"] = _boolean(str(fields["card_present"]))
    fields["job_id"] = job_id
    return fields


def _boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise InvalidMessage(f"card_present is neither true nor false: {text[:40]!r}") from None
