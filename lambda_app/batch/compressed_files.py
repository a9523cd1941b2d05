"""Files as they are read: hashed as they lie on the disk, and unpacked when their name says that they are compressed.

Memory stays bounded whatever a file unpacks to.
"""

import gzip
import hashlib
import zlib
from typing import BinaryIO, cast

from lambda_app.core.csv.lines import BinaryFile
from lambda_app.errors import InvalidFile

# Rows of one shape compress to a fiftieth. A file that unpacks to more than this many times its size, and to more than
# SMALL_BYTES, counts as a bomb.
MAX_RATIO = 200
SMALL_BYTES = 64 * 1024 * 1024


def is_compressed(name: str) -> bool:
    """Whether a file of this name is compressed by gzip."""
    return name.lower().endswith(".gz")


class HashedFile:
    """A file, the SHA-256 of what was read of it, and how much that was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        content = self._file.read(size)
        self.sha256.update(content)
        self.size += len(content)
        return content


class GunzippedFile:
    """What a gzip file holds. Each read raises InvalidFile when the file is damaged, cut off, or a bomb."""

    def __init__(self, file: HashedFile) -> None:
        self._packed = file
        self._unpacked: BinaryFile = gzip.GzipFile(fileobj=cast("BinaryIO", file), mode="rb")
        self._size = 0

    def read(self, size: int, /) -> bytes:
        try:
            content = self._unpacked.read(size)
        except EOFError as error:
            raise InvalidFile("the gzip file is cut off: send it again, whole") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InvalidFile(f"the gzip file is damaged: {error}") from error
        self._size += len(content)
        if self._size > max(SMALL_BYTES, MAX_RATIO * self._packed.size):
            raise InvalidFile(
                f"the gzip file unpacks to more than {MAX_RATIO} times its size: if it is right, unpack it and put it"
                " into the inbox as *.csv"
            )
        return content
