"""The tables of cases: what is loaded of files in many dialects, and what is said of the rest."""

import csv
import gzip
import io
from datetime import UTC, datetime

import pytest

from lambda_app.batch.compressed_files import SMALL_BYTES, GunzippedFile, HashedFile, is_compressed
from lambda_app.core.csv.bulk import CsvFile
from lambda_app.core.transaction.copy_text import COLUMNS, unescape
from lambda_app.errors import InvalidFile
from tests.cases.files import HERE, SHORTHANDS, FileCase, file_cases

NOW = datetime(2026, 11, 24, tzinfo=UTC)
VALID = {
    "transaction_id": "T1",
    "account_id": "A1",
    "transaction_type": "purchase",
    "amount": "12.30",
    "event_time": "2026-11-23T08:00:00Z",
}
with HERE.joinpath("csv_values.csv").open(encoding="utf-8", newline="") as table:
    VALUES = [(row["column"], row["text"], row["expected"]) for row in csv.DictReader(table)]


def read(name: str, data: bytes) -> tuple[list[dict[str, str | None]], dict[int, str]]:
    """The rows as PostgreSQL reads them, and the reasons of rejected lines."""
    file = HashedFile(io.BytesIO(data))
    rows: list[dict[str, str | None]] = []
    rejected: dict[int, str] = {}
    for piece in CsvFile(GunzippedFile(file) if is_compressed(name) else file, "BAT00001", "BATCH").pieces(NOW):
        rows += [dict(zip(COLUMNS, map(unescape, line[:-1].split("\t")), strict=True)) for line in piece.rows.lines]
        rejected |= {each.line: each.reason for each in piece.rejected}
    return rows, rejected


@pytest.mark.parametrize("case", file_cases(), ids=lambda case: case.case)
def test_file_gives_what_its_case_says(case: FileCase) -> None:
    try:
        rows, rejected = read(case.file, case.data())
        refused = None
        if rejected and not rows and case.refused:
            line, reason = next(iter(rejected.items()))
            refused = f"each of its {len(rejected)} records is bad; the first, in line {line}: {reason}"
    except InvalidFile as error:
        refused = str(error)

    if case.refused is not None:
        assert refused is not None
        assert refused.startswith(case.refused)
        return
    assert refused is None
    assert len(rows) == case.loaded
    assert {str(line): reason[: len(case.rejected[str(line)])] for line, reason in rejected.items()} == case.rejected
    assert rows == [] or case.values.items() <= rows[0].items()


@pytest.mark.parametrize(("column", "text", "expected"), VALUES)
def test_field_gives_what_its_case_says(column: str, text: str, expected: str) -> None:
    record = VALID | {column: text}
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([record.keys(), record.values()])

    rows, rejected = read("a.csv", file.getvalue().encode())

    if expected.startswith("! "):
        assert rows == []
        assert expected.removeprefix("! ") in rejected[2]
    else:
        assert rejected == {}
        stored = rows[0][column] or ""
        if column == "amount":
            assert float(stored) == float(expected)
        elif column == "event_time":
            assert datetime.fromisoformat(stored) == datetime.fromisoformat(expected)
        else:
            assert stored == expected


@pytest.mark.parametrize("line", ["\n", f"{SHORTHANDS['row']}\n"])
def test_gzip_bomb_is_refused_before_it_is_unpacked(line: str) -> None:
    packed = gzip.compress(f"{SHORTHANDS['header']}\n".encode()) + gzip.compress(
        line.encode() * (200_000_000 // len(line))
    )

    with pytest.raises(InvalidFile, match="unpacks to more than 200 times its size"):
        read("a.csv.gz", packed)


def test_gzip_of_many_rows_of_one_shape_is_no_bomb() -> None:
    rows = "".join(f"T{number},A1,purchase,12.30,2026-11-23T08:00:00Z\n" for number in range(1_500_000))
    packed = HashedFile(io.BytesIO(gzip.compress(f"{SHORTHANDS['header']}\n{rows}".encode(), 9)))
    file = GunzippedFile(packed)

    size = sum(len(block) for block in iter(lambda: file.read(1 << 20), b""))

    assert size > SMALL_BYTES
    assert packed.size == len(packed._file.getvalue())  # type: ignore[attr-defined]
