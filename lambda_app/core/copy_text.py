"""Rows as PostgreSQL's COPY text format: a line a row, tabs between columns, `\\N` for null, backslash escapes."""

import re
from collections.abc import Iterable
from datetime import datetime

from lambda_app.core.message import Transaction

# In the order that `encode_row` writes them; ingested_at has a default.
COLUMNS = (
    "job_id",
    "transaction_id",
    "account_id",
    "transaction_type",
    "amount",
    "event_time",
    "merchant_category",
    "location",
    "card_present",
    "risk_score",
    "ingestion_type",
)

_SPECIAL = re.compile(r"[\\\x08\t\n\x0b\x0c\r]")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"},
)
_BOOLEANS = {None: "\\N", True: "t", False: "f"}


def encode_rows(rows: Iterable[Transaction], ingestion_type: str) -> bytes:
    """All rows as one COPY text in UTF-8."""
    return "".join([encode_row(row, ingestion_type) for row in rows]).encode()


def encode_row(row: Transaction, ingestion_type: str) -> str:
    """One row, its newline included.

    The free texts are checked together: almost none needs an escape.
    """
    job_id, category, location = row.job_id, row.merchant_category, row.location
    texts = (
        "\\N" if job_id is None else job_id,
        row.transaction_id,
        row.account_id,
        row.transaction_type,
        "\\N" if category is None else category,
        "\\N" if location is None else location,
    )
    if _SPECIAL.search("".join((job_id or "", *texts[1:4], category or "", location or ""))):
        texts = (
            _text(job_id),
            _text(row.transaction_id),
            _text(row.account_id),
            _text(row.transaction_type),
            _text(category),
            _text(location),
        )
    risk_score = "\\N" if row.risk_score is None else str(row.risk_score)
    return (
        f"{texts[0]}\t{texts[1]}\t{texts[2]}\t{texts[3]}\t{row.amount}\t{_time(row.event_time)}\t"
        f"{texts[4]}\t{texts[5]}\t{_BOOLEANS[row.card_present]}\t{risk_score}\t{ingestion_type}\n"
    )


def _text(value: str | None) -> str:
    return "\\N" if value is None else value.translate(_ESCAPES)


def _time(value: datetime) -> str:
    # isoformat writes the offset, so the session's time zone does not matter.
    return value.isoformat(" ")
