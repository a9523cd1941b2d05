"""Directories and renames of the batch, below systemd's StateDirectory=: what is done is on the disk."""

import os
from pathlib import Path


def make_directory(directory: Path) -> None:
    """Creates a directory; it gets the owner of its parent."""
    if directory.is_dir():
        return
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # Run by hand as root: the unit's user must still be able to write here.
        owner = directory.parent.stat()
        os.chown(directory, owner.st_uid, owner.st_gid)


def sync_directory(directory: Path) -> None:
    """Writes the entries of a directory to the disk, so that a rename survives a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(path: Path, target: Path) -> None:
    """Renames a file into another directory; what has the name there is replaced."""
    make_directory(target.parent)
    path.replace(target)
    sync_directory(target.parent)
