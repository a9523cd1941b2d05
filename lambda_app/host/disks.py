"""File systems of this host."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lambda_app.core.operate.disks import DiskFacts


def disks_of(host: str, directories: Iterable[Path]) -> tuple[DiskFacts, ...]:
    """The file systems that these directories lie on, each once; directories that do not exist are left out."""
    disks: dict[int, DiskFacts] = {}
    for directory in directories:
        with suppress(OSError):
            device = directory.stat().st_dev
            if device not in disks:
                use = os.statvfs(directory)
                disks[device] = DiskFacts(
                    host, str(_mountpoint(directory)), use.f_blocks * use.f_frsize, use.f_bavail * use.f_frsize
                )
    return tuple(disks.values())


def _mountpoint(path: Path) -> Path:
    path = path.resolve()
    return next(each for each in (path, *path.parents) if each.is_mount())
