"""What processes have used: CPU time and memory, of a process and all below it, sampled while they live."""

import os
import threading
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text(encoding="utf-8").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(each for child in children for each in tree(int(child)))]


class Sampler(threading.Thread):
    """Follows the tree of a process until stopped."""

    def __init__(self, pid: int, every_seconds: float = 0.05) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        # The latest of each process: seconds of CPU time, and the most memory it ever held.
        self.cpu_seconds: dict[int, float] = {}
        self.peak_bytes: dict[int, int] = {}
        self._cpu_before: dict[int, float] = {}
        self.sample()
        self.restart()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self.sample()

    def sample(self) -> None:
        """Looks now."""
        for pid in tree(self._pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.cpu_seconds[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
            peak = [line for line in status.splitlines() if line.startswith("VmHWM:")]
            if peak:
                self.peak_bytes[pid] = int(peak[0].split()[1]) * 1024

    def restart(self) -> None:
        """Counts CPU time from here."""
        self._cpu_before = dict(self.cpu_seconds)

    def used(self, without: int | None = None) -> dict[int, float]:
        """Seconds of CPU time of each process since `restart`."""
        return {p: s - self._cpu_before.get(p, 0) for p, s in self.cpu_seconds.items() if p != without}

    def stop(self) -> None:
        """Takes the last look."""
        self._ended.set()
        self.join()
        self.sample()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
