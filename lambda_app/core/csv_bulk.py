"""CSV records into rows, many at once: what `parse_record` says of each, several times as fast."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from lambda_app.core import csv_rows
from lambda_app.core.columns import (
    aggregate_columns,
    amount_column,
    risk_score_column,
    text_column,
    time_columns,
)
from lambda_app.core.copy_text import BOOLEANS, COLUMNS, NULL, encode_row, escape
from lambda_app.core.csv_records import Block, Records, RejectedLine
from lambda_app.core.csv_rows import parse_header, parse_number, parse_record
from lambda_app.core.rows import Rows
from lambda_app.errors import InvalidMessage

# So many at once: what is made on the way still is in the processor's cache when it is used.
_PIECE = 1000
# Fewer than these are judged one by one.
_FEW = 32

_BOOLEAN_COLUMN = {"": NULL} | {text: BOOLEANS[value] for text, value in csv_rows.BOOLEANS.items()}


@dataclass
class Piece:
    """Some records of a file: each is a row or a rejection."""

    rows: Rows = field(default_factory=Rows)
    # Of each row: the line where its record begins, and its bytes.
    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines) + len(self.rejected)


class CsvFile:
    """A file's rows, piece by piece: memory stays flat."""

    def __init__(self, lines: Iterable[bytes], job_id: str, ingestion_type: str) -> None:
        """`lines` with their ends. Raises InvalidFile when the header is missing or lacks a required column."""
        self._records = Records(lines)
        self.header = parse_header(self._records.take(1))
        self._job_id = job_id
        self._ingestion_type = ingestion_type

    def pieces(self, now: datetime, size: int) -> Iterator[Piece]:
        """All that follows the header, up to `size` records a piece."""
        while not self._records.is_over():
            piece = Piece()
            for _ in range(0, size, _PIECE):
                block = self._records.take(min(_PIECE, size))
                piece.rejected += block.rejected
                self._encode(block, now, piece)
            if len(piece):
                piece.rejected.sort(key=lambda each: each.line)
                yield piece

    def _encode(self, block: Block, now: datetime, piece: Piece) -> None:
        if not block.records:
            return
        try:
            piece.rows += self._encode_valid(block.records, now)
        except InvalidMessage:
            if len(block.records) <= _FEW:
                self._encode_each(block, now, piece)
                return
            middle = len(block.records) // 2
            for part in (slice(middle), slice(middle, None)):
                self._encode(Block(block.lines[part], block.raws[part], block.records[part]), now, piece)
        else:
            piece.lines += block.lines
            piece.raws += block.raws

    def _encode_each(self, block: Block, now: datetime, piece: Piece) -> None:
        encoded = []
        for line, raw, record in zip(block.lines, block.raws, block.records, strict=True):
            try:
                encoded.append(encode_row(parse_record(self.header, record, now, self._job_id), self._ingestion_type))
            except InvalidMessage as error:
                piece.rejected.append(RejectedLine(line, raw, str(error)))
            else:
                piece.lines.append(line)
                piece.raws.append(raw)
        piece.rows += Rows.of(encoded)

    def _encode_valid(self, records: Sequence[Sequence[str]], now: datetime) -> Rows:
        """Rows of records that are all valid; raises InvalidMessage when one may not be."""
        if set(map(len, records)) != {len(self.header)}:
            raise InvalidMessage("a record has too few or too many fields")
        given: Mapping[str, Sequence[str]] = dict(zip(self.header, zip(*records, strict=True), strict=True))
        absent = [""] * len(records)
        times, minutes = time_columns(_either(given.get("event_time"), given.get("timestamp")), now)
        columns: dict[str, Sequence[str]] = {
            "event_time": times,
            "amount": amount_column(given["amount"], partial(parse_number, "amount")),
            "card_present": _boolean_column(given.get("card_present", absent)),
            "risk_score": risk_score_column(
                [score or NULL for score in given.get("risk_score", absent)], partial(parse_number, "risk_score")
            ),
            "job_id": [escape(self._job_id)] * len(records),
            "ingestion_type": [f"{self._ingestion_type}\n"] * len(records),
        }
        for name in ("transaction_id", "account_id", "transaction_type"):
            columns[name] = text_column(name, given[name], is_required=True)
        for name in ("merchant_category", "location"):
            columns[name] = text_column(name, given.get(name, absent), is_required=False)
        keys = (minutes, columns["merchant_category"], columns["transaction_type"])
        return Rows(
            ["\t".join(row) for row in zip(*(columns[name] for name in COLUMNS), strict=True)],
            aggregate_columns(*keys, columns["amount"], columns["risk_score"]),
        )


def _either(event_times: Sequence[str] | None, timestamps: Sequence[str] | None) -> Sequence[str]:
    if event_times is None or timestamps is None:
        return event_times or timestamps or ()
    return [event_time or timestamp for event_time, timestamp in zip(event_times, timestamps, strict=True)]


def _boolean_column(texts: Sequence[str]) -> Sequence[str]:
    try:
        return [_BOOLEAN_COLUMN[text] for text in texts]
    except KeyError:
        pass
    try:
        return [_BOOLEAN_COLUMN[text.lower()] for text in texts]
    except KeyError:
        raise InvalidMessage("card_present is neither true nor false") from None
