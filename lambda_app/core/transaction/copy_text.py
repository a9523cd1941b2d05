"""Rows as PostgreSQL's COPY text format: a line a row, tabs between columns, `\\N` for null, backslash escapes.

https://www.postgresql.org/docs/15/sql-copy.html
"""

import re

from lambda_app.core.transaction.message import IngestionType, Transaction

# In the order of a line; ingested_at has a default. The key comes first, so that sorting lines sorts rows by their key.
COLUMNS = (
    "event_time",
    "transaction_id",
    "account_id",
    "transaction_type",
    "amount",
    "merchant_category",
    "location",
    "card_present",
    "risk_score",
    "job_id",
    "ingestion_type",
)
NULL = "\\N"
BOOLEANS = {None: NULL, True: "t", False: "f"}
# Length of the minute at the start of a line, in UTC: 2026-01-31T23:59.
MINUTE_LENGTH = 16

_LETTERS = {"\\": "\\", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
_ESCAPES = str.maketrans({character: "\\" + letter for character, letter in _LETTERS.items()})
_MEANINGS = {letter: character for character, letter in _LETTERS.items()}
_ESCAPED = re.compile(r"\\(.)")


def encode_row(row: Transaction, ingestion_type: IngestionType) -> str:
    """One row as a line, its newline included."""
    risk_score = NULL if row.risk_score is None else row.risk_score
    return (
        f"{row.event_time.isoformat()}\t{escape(row.transaction_id)}\t{escape(row.account_id)}\t"
        f"{escape(row.transaction_type)}\t{row.amount}\t{escape(row.merchant_category)}\t{escape(row.location)}\t"
        f"{BOOLEANS[row.card_present]}\t{risk_score}\t{escape(row.job_id)}\t{ingestion_type}\n"
    )


def escape(value: str | None) -> str:
    """A text column."""
    return NULL if value is None else value.translate(_ESCAPES)


def unescape(column: str) -> str | None:
    """The value of a text column.

    >>> unescape(escape("a\\tb")), unescape(NULL)
    ('a\\tb', None)
    """
    if column == NULL:
        return None
    return _ESCAPED.sub(lambda match: _MEANINGS[match[1]], column) if "\\" in column else column
