"""CSV text taken apart as the batch does, and what becomes of each of its records."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from lambda_app.core.csv.bulk import CsvFile
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.transaction.aggregates import Aggregates
from lambda_app.core.transaction.copy_text import COLUMNS as COPY_COLUMNS
from lambda_app.core.transaction.copy_text import unescape

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEADER = "transaction_id,account_id,transaction_type,amount,event_time"
GOOD = "T1,A1,purchase,12.30,2026-11-23T08:00:00Z"


@dataclass(frozen=True)
class AcceptedLine:
    """A row as PostgreSQL will read it, and where it comes from."""

    line: int
    raw: bytes
    values: dict[str, str | None]


def parse(text: str | bytes) -> list[AcceptedLine | RejectedLine]:
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    found: list[AcceptedLine | RejectedLine] = []
    for piece in CsvFile(io.BytesIO(content), "BAT00001", "BATCH").pieces(NOW):
        assert piece.rows.aggregates.work_out() == Aggregates.of_lines(piece.rows.lines).work_out()
        for line, raw, row in zip(piece.lines, piece.raws, piece.rows.lines, strict=True):
            found.append(AcceptedLine(line, raw, values_of(row)))
        found += piece.rejected
    return sorted(found, key=lambda each: each.line)


def values_of(line: str) -> dict[str, str | None]:
    """A COPY line as PostgreSQL reads it."""
    return dict(zip(COPY_COLUMNS, map(unescape, line.removesuffix("\n").split("\t")), strict=True))


def same(values: dict[str, str | None]) -> dict[str, object]:
    """The values, whatever their spelling."""
    return values | {
        "amount": Decimal(str(values["amount"])),
        "event_time": datetime.fromisoformat(str(values["event_time"])),
        "risk_score": values["risk_score"] and Decimal(values["risk_score"]),
    }
