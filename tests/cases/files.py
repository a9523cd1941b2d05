"""The files of files.jsonl."""

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHORTHANDS = {
    "header": "transaction_id,account_id,transaction_type,amount,event_time",
    "row": "T1,A1,purchase,12.30,2026-11-23T08:00:00Z",
    "row2": "T2,A1,refund,-4.50,2026-11-23T08:01:00Z",
}


@dataclass(frozen=True)
class FileCase:
    """A file, and what is expected to become of it."""

    case: str
    content: str
    file: str = "a.csv"
    encoding: str = "utf-8"
    packed: bool = False
    cut: int = 0
    append: str = ""
    # Why nothing of it is loaded; None when some may be.
    refused: str | None = None
    loaded: int = 0
    # Of the first row that is loaded.
    values: dict[str, str] = field(default_factory=dict)
    # The start of the reason, by line.
    rejected: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The content as text, shorthands written out."""
        text = re.sub(r"\{(header|row2?)(.)?\}", lambda m: SHORTHANDS[m[1]].replace(",", m[2] or ","), self.content)
        return re.sub(r"\{(\d+)\}", lambda m: "x" * int(m[1]), text)

    def data(self, mark: str = "") -> bytes:
        """The bytes of the file; `mark` makes its transaction ids its own."""
        text = re.sub(r"\bT(?=\d)", f"T{mark}", self.text())
        errors = "surrogateescape" if self.encoding == "utf-8" else "strict"
        data = text.encode(self.encoding, errors)
        if self.packed:
            data = gzip.compress(data, mtime=0)
        return data[: len(data) - self.cut] + self.append.encode()


def file_cases() -> list[FileCase]:
    """Every line of the table."""
    lines = HERE.joinpath("files.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [FileCase(**row) for row in rows]
