"""The SHA-256 of a regular file, read from the disk."""

import errno
import hashlib
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def hash_file(path: Path) -> tuple[bytes, int]:
    """The SHA-256 of a regular file, and its size. Raises OSError with the reason when it cannot be read."""
    _require_file(path.lstat())
    # O_NOFOLLOW: a link could make us read a file elsewhere. O_NONBLOCK: the file may have become a pipe since.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        _require_file(os.fstat(file.fileno()))
        content_hash = hashlib.file_digest(file, "sha256").digest()
        return content_hash, file.tell()


def _require_file(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'no file')}, not a file")
