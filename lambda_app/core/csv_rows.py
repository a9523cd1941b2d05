"""A CSV file's bytes into valid transactions and rejected lines, a record at a time: memory stays flat.

The header names the columns, in any order; `timestamp` is another name for `event_time`, unknown columns are ignored,
an empty field is an absent one. Values then pass the same rules as a message's.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lambda_app.core.message import Transaction, validate_fields
from lambda_app.errors import InvalidFile, InvalidMessage

REQUIRED_COLUMNS = ("transaction_id", "account_id", "transaction_type", "amount")
TIME_COLUMNS = ("event_time", "timestamp")
# A number as JSON writes it: no blanks, underscores, NaN or digits of other scripts.
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
BOOLEANS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class AcceptedLine:
    """A record that is valid; `line` is where it begins, 1 is the header."""

    line: int
    raw: bytes
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A record that is not valid, with the reason."""

    line: int
    raw: bytes
    reason: str


def parse_csv(lines: Iterable[bytes], now: datetime, job_id: str) -> Iterator[AcceptedLine | RejectedLine]:
    """Each record of a file, given as its lines with their ends; `job_id` is noted in each transaction.

    Raises InvalidFile when the header is missing or lacks a required column.
    """
    records = _Records(lines)
    columns = _header(next(records, None))
    for record in records:
        if isinstance(record, RejectedLine):
            yield record
        elif record.values:
            try:
                transaction = validate_fields(_typed_fields(columns, record.values, job_id), now)
            except InvalidMessage as error:
                yield RejectedLine(record.line, record.raw, str(error))
            else:
                yield AcceptedLine(record.line, record.raw, transaction)


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    raw: bytes
    values: Sequence[str]  # empty: a blank line


class _Records:
    """Splits lines into records and remembers the lines of each: a quoted field may hold line breaks."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._put_back: list[bytes] = []  # last in, first out
        self._taken: list[bytes] = []
        self._reader = csv.reader(self._decoded(), strict=True)
        self._line = 1

    def __iter__(self) -> Iterator[_Record | RejectedLine]:
        return self

    def __next__(self) -> _Record | RejectedLine:
        self._taken = []
        try:
            values = next(self._reader)
        except csv.Error as error:
            return self._reject_first_line(f"not CSV: {error}")
        record = _Record(self._line, b"".join(self._taken), values)
        self._line += len(self._taken)
        return record

    def _reject_first_line(self, reason: str) -> RejectedLine:
        """An open quote swallows what follows: blame its own line alone and read the others again."""
        first, *others = self._taken
        self._put_back += reversed(others)
        self._reader = csv.reader(self._decoded(), strict=True)
        rejected = RejectedLine(self._line, first, reason)
        self._line += 1
        return rejected

    def _decoded(self) -> Iterator[str]:
        while True:
            line = self._put_back.pop() if self._put_back else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            # What is no UTF-8 becomes lone surrogates, which no text field accepts.
            yield line.decode("utf-8", "surrogateescape")


def _header(record: _Record | RejectedLine | None) -> list[str]:
    if record is None:
        raise InvalidFile("the file is empty: its first line must name the columns")
    if isinstance(record, RejectedLine):
        raise InvalidFile(f"the header is {record.reason}")
    columns = [name.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").strip().lower() for name in record.values]
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if not any(name in columns for name in TIME_COLUMNS):
        missing.append("event_time")
    if missing:
        raise InvalidFile(f"the header lacks {', '.join(missing)}")
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise InvalidFile(f"the header names {', '.join(doubled)} more than once")
    return columns


def _typed_fields(columns: Sequence[str], values: Sequence[str], job_id: str) -> Mapping[str, object]:
    if len(values) != len(columns):
        raise InvalidMessage(f"{len(values)} fields where the header names {len(columns)}")
    fields: dict[str, object] = {name: value for name, value in zip(columns, values, strict=True) if value}
    for name in ("amount", "risk_score"):
        if name in fields:
            fields[name] = _number(name, str(fields[name]))
    if "card_present" in fields:
        fields["card_present"] = _boolean(str(fields["card_present"]))
    fields["job_id"] = job_id
    return fields


def _number(name: str, text: str) -> Decimal:
    if not NUMBER.fullmatch(text):
        raise InvalidMessage(f"{name} is not a number: {text[:40]!r}")
    return Decimal(text)


def _boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise InvalidMessage(f"card_present is neither true nor false: {text[:40]!r}") from None


def parse_record(columns: Sequence[str], raw: bytes, now: datetime, job_id: str) -> Transaction:
    """The transaction in one record, apart from its file; `columns` are the names in the header, in lower case.

    Raises InvalidMessage.
    """
    try:
        # Given as one line: a second record in it is an error, a line break in quotes is none.
        values = next(csv.reader([raw.decode("utf-8", "surrogateescape")], strict=True))
    except csv.Error as error:
        raise InvalidMessage(f"not CSV: {error}") from error
    return validate_fields(_typed_fields(columns, values, job_id), now)
