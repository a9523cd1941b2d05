"""The lines of a file, many at once and in bounded memory, ended as editors end them: by LF, CRLF or CR."""

import re
from codecs import BOM_UTF8
from typing import Protocol

# Bytes read at once. The intermediate results of a block this size fit into the processor's cache.
BLOCK_BYTES = 120 * 1024
# A longer line is cut off here and then rejected for its length, since no valid row is that long.
LONGEST_LINE_BYTES = 1024 * 1024

_LINE_END = re.compile(rb"\r\n?|\n")


class BinaryFile(Protocol):
    """What a file is read by."""

    def read(self, size: int, /) -> bytes: ...


class Lines:
    """Reads a file once, from its start; a byte order mark before the first line is left out."""

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        # The beginning of a line whose end has not been read yet.
        self._rest = file.read(len(BOM_UTF8)).removeprefix(BOM_UTF8)

    def read(self) -> bytes:
        """The next lines with their ends, at least one; empty at the end of the file.

        A line of more than LONGEST_LINE_BYTES may be cut; it keeps more than that, and ends with a line feed then.
        """
        block, self._rest = self._rest, b""
        while more := self._file.read(BLOCK_BYTES):
            block += more
            # A carriage return at the end of the block may be the first half of a CRLF.
            end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
            if end:
                self._rest = block[end:]
                return block[:end]
            if len(block) > LONGEST_LINE_BYTES:
                self._skip_line(block[-1:])
                return block[:LONGEST_LINE_BYTES] + b"\n"
        return block

    def _skip_line(self, block: bytes) -> None:
        """Reads on to the end of a line; `block` is the last byte read."""
        while block:
            end = _LINE_END.search(block)
            if end:
                self._rest = block[end.end() :]
                if not self._rest and end[0] == b"\r":
                    self._rest = self._file.read(1).removeprefix(b"\n")
                return
            block = self._file.read(BLOCK_BYTES)
