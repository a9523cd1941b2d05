"""CSV records into rows, many at once: what `parse_record` says of each, several times as fast."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from lambda_app.core.csv.columns import split_columns
from lambda_app.core.csv.header import parse_header
from lambda_app.core.csv.lines import BinaryFile
from lambda_app.core.csv.records import Block, Records, RejectedLine
from lambda_app.core.csv.rows import BOOLEAN_TEXTS, parse_number, parse_record, parse_time_field
from lambda_app.core.transaction.aggregates import Aggregates, Columns
from lambda_app.core.transaction.columns import amount_column, risk_score_column, text_column, time_columns
from lambda_app.core.transaction.copy_text import BOOLEANS, COLUMNS, NULL, encode_row, escape
from lambda_app.core.transaction.halving import by_halves
from lambda_app.core.transaction.message import IngestionType
from lambda_app.core.transaction.rows import Rows
from lambda_app.errors import InvalidMessage

_BOOLEAN_COLUMN = {"": NULL} | {text: BOOLEANS[value] for text, value in BOOLEAN_TEXTS.items()}


@dataclass
class Piece:
    """Some records of a file: each is a row or a rejection."""

    rows: Rows = field(default_factory=Rows)
    # For each row the line where its record begins, and the record's bytes.
    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines) + len(self.rejected)


class CsvFile:
    """A file's rows, piece by piece: memory stays flat."""

    def __init__(self, file: BinaryFile, job_id: str, ingestion_type: IngestionType) -> None:
        """Raises InvalidFile when the header is missing or lacks a required column."""
        self._records = Records(file)
        self.header = parse_header(self._records.peek())
        self._columns = self.header.columns
        self._records.delimiter = self.header.delimiter
        self._records.take(1)
        self._job_id = job_id
        self._ingestion_type = ingestion_type

    def pieces(self, now: datetime) -> Iterator[Piece]:
        """All that follows the header."""
        while block := self._records.peek():
            piece = Piece()
            self._add_block(block, now, piece)
            piece.rejected.sort(key=lambda each: each.line)
            yield piece

    def _add_block(self, block: bytes, now: datetime, piece: Piece) -> None:
        raws = block.splitlines(keepends=True)
        columns = split_columns(block, len(raws), len(self._columns), self.header.delimiter)
        if columns:
            try:
                rows = self._encode_valid(columns, now)
            except InvalidMessage:
                pass
            else:
                piece.rows += rows
                piece.lines += self._records.skip(len(rows))
                piece.raws += raws
                return
        self._add_records(self._records.take(), now, piece)

    def _add_records(self, block: Block, now: datetime, piece: Piece) -> None:
        def add_all(start: int, end: int) -> None:
            records = block.records[start:end]
            if set(map(len, records)) != {len(self._columns)}:
                raise InvalidMessage("a record has too few or too many fields")
            piece.rows += self._encode_valid(list(zip(*records, strict=True)), now)
            piece.lines += block.lines[start:end]
            piece.raws += block.raws[start:end]

        def add_each(start: int, end: int) -> None:
            for place in range(start, end):
                line, raw = block.lines[place], block.raws[place]
                try:
                    row = parse_record(self._columns, block.records[place], now, self._job_id)
                except InvalidMessage as error:
                    piece.rejected.append(RejectedLine(line, raw, str(error)))
                else:
                    piece.rows += Rows.of([encode_row(row, self._ingestion_type)])
                    piece.lines.append(line)
                    piece.raws.append(raw)

        piece.rejected += block.rejected
        if block.records:
            by_halves(0, len(block.records), add_all, add_each, (InvalidMessage,))

    def _encode_valid(self, fields: Sequence[Sequence[str]], now: datetime) -> Rows:
        """Rows of records that are all valid, given by column; raises InvalidMessage when one may not be."""
        given: Mapping[str, Sequence[str]] = dict(zip(self._columns, fields, strict=True))
        absent = [""] * len(fields[0])
        times, minutes = time_columns(_times(given.get("event_time"), given.get("timestamp")), now)
        columns: dict[str, Sequence[str]] = {
            "event_time": times,
            "amount": amount_column(given["amount"], partial(parse_number, "amount")),
            "card_present": _boolean_column(given.get("card_present", absent)),
            "risk_score": risk_score_column(
                [score or NULL for score in given.get("risk_score", absent)], partial(parse_number, "risk_score")
            ),
            "job_id": [escape(self._job_id)] * len(absent),
            "ingestion_type": [f"{self._ingestion_type}\n"] * len(absent),
        }
        for name in ("transaction_id", "account_id", "transaction_type"):
            columns[name] = text_column(name, given[name], is_required=True)
        for name in ("merchant_category", "location"):
            columns[name] = text_column(name, given.get(name, absent), is_required=False)
        keys = (minutes, columns["merchant_category"], columns["transaction_type"])
        return Rows(
            ["\t".join(row) for row in zip(*(columns[name] for name in COLUMNS), strict=True)],
            Aggregates.of(Columns(*keys, columns["amount"], columns["risk_score"])),
        )


def _times(event_times: Sequence[str] | None, timestamps: Sequence[str] | None) -> Sequence[str | int]:
    """The times as messages would give them."""
    times = event_times or timestamps or ()
    if event_times and timestamps:
        times = [event_time or timestamp for event_time, timestamp in zip(event_times, timestamps, strict=True)]
    # A file writes all its times in one way, so the first tells whether they are texts or numbers.
    return times if parse_time_field(times[0]) == times[0] else [parse_time_field(time) for time in times]


def _boolean_column(texts: Sequence[str]) -> Sequence[str]:
    try:
        return [_BOOLEAN_COLUMN[text] for text in texts]
    except KeyError:
        pass
    try:
        return [_BOOLEAN_COLUMN[text.strip().lower()] for text in texts]
    except KeyError:
        raise InvalidMessage("card_present is neither true nor false") from None
