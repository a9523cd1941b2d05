"""A CSV file's lines into records, many at once: memory stays flat, and each record knows its line and its bytes."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A record that is not valid, with the reason; `line` is where it begins, 1 is the header."""

    line: int
    raw: bytes
    reason: str


@dataclass
class Block:
    """Records that follow each other: the line where each begins, its bytes, its fields; and lines that are no CSV."""

    lines: Sequence[int] = ()
    raws: Sequence[bytes] = ()
    records: Sequence[Sequence[str]] = ()
    rejected: list[RejectedLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines) + len(self.rejected)


class Records:
    """Splits lines, given with their ends, into records; a quoted field may hold line breaks. Blank lines are left out.

    What is no UTF-8 becomes lone surrogates, which no field accepts.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._put_back: list[bytes] = []  # last in, first out
        self._taken: list[bytes] = []
        self._reader = csv.reader(self._decoded(), strict=True)
        self._line = 1

    def take(self, count: int) -> Block:
        """Up to so many records; an empty block is the end, or nothing but blank lines so far: see `is_over`."""
        self._taken = []
        try:
            records = list(islice(self._reader, count))
        except csv.Error:
            return self._take_one_by_one(count)
        if len(self._taken) != len(records):
            # Somewhere a record has more than one line.
            return self._take_one_by_one(count)
        first, self._line = self._line, self._line + len(records)
        lines: Sequence[int] = range(first, self._line)
        raws: Sequence[bytes] = self._taken
        if not all(records):
            kept = [index for index, record in enumerate(records) if record]
            lines, raws = [lines[index] for index in kept], [raws[index] for index in kept]
            records = [records[index] for index in kept]
        return Block(lines, raws, records)

    def is_over(self) -> bool:
        """Whether the last line was taken."""
        line = self._next_line()
        if line is None:
            return True
        self._put_back.append(line)
        return False

    def _take_one_by_one(self, count: int) -> Block:
        self._begin_again_at(self._taken)
        lines, raws, records, rejected = [], [], [], []
        for _ in range(count):
            self._taken = []
            try:
                record = next(self._reader, None)
            except csv.Error as error:
                rejected.append(self._reject_first_line(f"not CSV: {error}"))
                continue
            if record is None:
                break
            if record:
                lines.append(self._line)
                raws.append(b"".join(self._taken))
                records.append(record)
            self._line += len(self._taken)
        return Block(lines, raws, records, rejected)

    def _reject_first_line(self, reason: str) -> RejectedLine:
        """An open quote swallows what follows: blame its own line alone and read the others again."""
        first, *others = self._taken
        self._begin_again_at(others)
        rejected = RejectedLine(self._line, first, reason)
        self._line += 1
        return rejected

    def _begin_again_at(self, lines: Sequence[bytes]) -> None:
        self._put_back += reversed(lines)
        self._reader = csv.reader(self._decoded(), strict=True)

    def _decoded(self) -> Iterator[str]:
        while (line := self._next_line()) is not None:
            self._taken.append(line)
            yield line.decode("utf-8", "surrogateescape")

    def _next_line(self) -> bytes | None:
        return self._put_back.pop() if self._put_back else next(self._lines, None)
