"""A CSV file into blocks of lines, and those into records: memory stays flat, each record knows its line and bytes."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

# What is made of a block on the way still is in the processor's cache when it is used.
_BLOCK_BYTES = 120 * 1024
# Longer lines are read in pieces of this size, which no row survives.
_LONGEST_LINE_BYTES = 1024 * 1024


class BinaryFile(Protocol):
    """What a file is read by."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A record that is not valid, with the reason; `line` is where it begins, 1 is the header."""

    line: int
    raw: bytes
    reason: str


@dataclass
class Block:
    """Records that follow each other: the line where each begins, its bytes, its fields; and lines that are no CSV."""

    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    records: list[Sequence[str]] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)


class Records:
    """Where a file is read: `peek` at whole lines, then `skip` them or `take` their records."""

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._peeked = b""
        self._line = 1
        # While records are taken: lines to come, and those of the record at hand.
        self._coming: deque[bytes] = deque()
        self._taken: list[bytes] = []

    def peek(self) -> bytes:
        """The next lines with their ends, many at once; empty at the end of the file."""
        if not self._peeked:
            block = self._file.read(_BLOCK_BYTES)
            self._peeked = block if block.endswith(b"\n") else block + self._file.readline(_LONGEST_LINE_BYTES)
        return self._peeked

    def skip(self, count: int) -> range:
        """Passes over what was peeked at, so many lines; gives their numbers."""
        first, self._line, self._peeked = self._line, self._line + count, b""
        return range(first, self._line)

    def take(self, limit: int | None = None) -> Block:
        """The records that begin in what `peek` shows, up to `limit`; blank lines are left out.

        A quoted field may hold line breaks. What is no UTF-8 becomes lone surrogates, which no field accepts.
        """
        self._coming = deque(line + b"\n" for line in self.peek().split(b"\n"))
        # What follows the last line break is no line when it is empty, and has none otherwise.
        last = self._coming.pop().removesuffix(b"\n")
        self._coming += [last] if last else []
        block = Block()
        reader = self._reader()
        while self._coming and (limit is None or len(block.lines) + len(block.rejected) < limit):
            self._taken = []
            try:
                record = next(reader)
            except csv.Error as error:
                block.rejected.append(self._reject_first_line(f"not CSV: {error}"))
                reader = self._reader()
                continue
            if record:
                block.lines.append(self._line)
                block.raws.append(b"".join(self._taken))
                block.records.append(record)
            self._line += len(self._taken)
        self._peeked = b"".join(self._coming)
        return block

    def _reject_first_line(self, reason: str) -> RejectedLine:
        """An open quote swallows what follows: blame its own line alone and read the others again."""
        first, *others = self._taken
        self._coming.extendleft(reversed(others))
        rejected = RejectedLine(self._line, first, reason)
        self._line += 1
        return rejected

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._decoded(), strict=True)

    def _decoded(self) -> Iterator[str]:
        while line := self._coming.popleft() if self._coming else self._file.readline(_LONGEST_LINE_BYTES):
            self._taken.append(line)
            yield line.decode("utf-8", "surrogateescape")
