"""The header of a CSV file: which columns it has, and by which delimiter they stand apart."""

import csv
from dataclasses import dataclass

from lambda_app.errors import InvalidFile

REQUIRED_COLUMNS = ("transaction_id", "account_id", "transaction_type", "amount")
TIME_COLUMNS = ("event_time", "timestamp")
OPTIONAL_COLUMNS = ("merchant_category", "location", "card_present", "risk_score")
KNOWN_COLUMNS = frozenset((*REQUIRED_COLUMNS, *TIME_COLUMNS, *OPTIONAL_COLUMNS))
DELIMITERS = ",;\t|"

# First bytes of files that are not CSV in UTF-8, and what to do about each.
_FOREIGN_STARTS = {
    b"\xff\xfe": "the file is UTF-16: save it as UTF-8",
    b"\xfe\xff": "the file is UTF-16: save it as UTF-8",
    b"\x1f\x8b": "the file is compressed by gzip: name it *.csv.gz",
    b"PK\x03\x04": "the file is a ZIP archive, as Excel's workbooks are: save it as CSV",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, in lower case, and the character between fields."""

    columns: tuple[str, ...]
    delimiter: str = ","


NO_HEADER = Header(())


def parse_header(start: bytes) -> Header:
    r"""The header of a file that starts with these lines. Raises InvalidFile.

    Of the delimiters it is the one that splits the first record into the required columns. Columns without a name and
    names that are not known may be there, more than once too.

    >>> parse_header(b"account_id;amount;event_time;transaction_id;transaction_type;;note;note\n").delimiter
    ';'
    """
    for sign, fault in _FOREIGN_STARTS.items():
        if start.startswith(sign):
            raise InvalidFile(fault)
    lines = [line.decode("utf-8", "surrogateescape") for line in start.splitlines(keepends=True)]
    if not lines or not lines[0].strip():
        raise InvalidFile("the first line is missing or blank: it must name the columns")
    if "\0" in lines[0]:
        raise InvalidFile("the header holds NUL bytes, as UTF-16 does: save the file as UTF-8")
    fault = ""
    fewest_missing = len(KNOWN_COLUMNS)
    for delimiter in DELIMITERS:
        try:
            columns = [_name(field) for field in next(csv.reader(lines, delimiter=delimiter, strict=True))]
        except csv.Error as error:
            fault = fault or f"the header is not CSV: {error}"
            continue
        missing = _missing(columns)
        if not missing:
            return Header(_unambiguous(columns), delimiter)
        if len(missing) < fewest_missing:
            fewest_missing = len(missing)
            fault = f"the header lacks {', '.join(missing)}"
    raise InvalidFile(fault)


def _name(field: str) -> str:
    # The header is stored in batch_jobs, which takes UTF-8 alone.
    return field.strip().lower().encode("utf-8", "replace").decode()


def _missing(columns: list[str]) -> list[str]:
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    return missing if any(name in columns for name in TIME_COLUMNS) else [*missing, "event_time"]


def _unambiguous(columns: list[str]) -> tuple[str, ...]:
    doubled = sorted(name for name in KNOWN_COLUMNS if columns.count(name) > 1)
    if doubled:
        raise InvalidFile(f"the header names {', '.join(doubled)} more than once")
    return tuple(columns)
