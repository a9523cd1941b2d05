"""Lines of a CSV file into records: memory stays flat, each record knows its line and its bytes."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lambda_app.core.csv.lines import LONGEST_LINE_BYTES, BinaryFile, Lines


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A record that is not valid, with the reason; `line` is where it begins, 1 is the header."""

    line: int
    raw: bytes
    reason: str


@dataclass
class Block:
    """Consecutive records: the line where each begins, its bytes, its fields; and the lines that are not CSV."""

    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    records: list[Sequence[str]] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)


class Records:
    """Where a file is read: `peek` at whole lines, then `skip` them or `take` their records."""

    def __init__(self, file: BinaryFile) -> None:
        # Set by the reader of the header.
        self.delimiter = ","
        self._lines = Lines(file)
        self._peeked = b""
        self._line = 1
        # While `take` runs: the lines to read next, and the lines of the current record.
        self._coming: deque[bytes] = deque()
        self._taken: list[bytes] = []

    def peek(self) -> bytes:
        """The next lines with their ends, many at once; empty at the end of the file."""
        if not self._peeked:
            self._peeked = self._lines.read()
        return self._peeked

    def skip(self, count: int) -> range:
        """Passes over the `count` lines that were peeked at; gives their numbers."""
        first, self._line, self._peeked = self._line, self._line + count, b""
        return range(first, self._line)

    def take(self, limit: int | None = None) -> Block:
        """The records that begin in what `peek` shows, up to `limit`; blank lines are left out.

        A quoted field may hold line breaks. A byte that is not UTF-8 becomes a lone surrogate, which no column accepts.
        """
        self._coming = deque(self.peek().splitlines(keepends=True))
        # Records that begin before this line are taken; the last of them may end in a later block.
        end = self._line + len(self._coming)
        block = Block()
        reader = self._reader()
        while self._line < end and (limit is None or len(block.lines) + len(block.rejected) < limit):
            self._taken = []
            try:
                record = next(reader)
            except csv.Error as error:
                block.rejected.append(self._reject_first_line(error))
                reader = self._reader()
                continue
            if record:
                block.lines.append(self._line)
                block.raws.append(b"".join(self._taken))
                block.records.append(record)
            self._line += len(self._taken)
        self._peeked = b"".join(self._coming)
        return block

    def _reject_first_line(self, error: csv.Error) -> RejectedLine:
        """An open quote swallows what follows: blame its own line alone and read the others again."""
        first, *others = self._taken
        self._coming.extendleft(reversed(others))
        reason = f"not CSV: {error}"
        if len(first) > LONGEST_LINE_BYTES:
            reason = f"the line is longer than {LONGEST_LINE_BYTES:,} bytes, which no valid row is; here is its start"
        rejected = RejectedLine(self._line, first, reason)
        self._line += 1
        return rejected

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._decoded(), delimiter=self.delimiter, strict=True)

    def _decoded(self) -> Iterator[str]:
        while line := self._next_line():
            self._taken.append(line)
            if len(line) > LONGEST_LINE_BYTES:
                raise csv.Error("an open quote, followed by a line that is too long")
            yield line.decode("utf-8", "surrogateescape")

    def _next_line(self) -> bytes:
        if not self._coming:
            self._coming.extend(self._lines.read().splitlines(keepends=True))
        return self._coming.popleft() if self._coming else b""
