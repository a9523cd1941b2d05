"""What every real server and program of the tests needs: ports, directories, deadlines, and an end with the test."""

import contextlib
import ctypes
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def wait_until(condition: Callable[[], object], timeout_seconds: float = 30, what: str = "the condition") -> None:
    """Returns when the condition holds; fails the test at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def end_with_parent() -> None:
    """For preexec_fn: the kernel kills this child when the test process dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextlib.contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """A directory outside of pytest's, which the postgres user could not enter."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
