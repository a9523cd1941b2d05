"""`lambda-app` as a process of its own, with a notification socket as systemd gives one."""

import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from servers import REPOSITORY, end_with_parent, wait_until

COMMAND = [sys.executable, "-m", "lambda_app"]


def run_program(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand to its end, whatever the end is."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )


class Program:
    """A subcommand that runs until the block ends."""

    # How long it may take to end after SIGTERM.
    drain_seconds: float = 25

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lambda-program-")
        self._log = Path(self._directory.name, "log")
        path = str(Path(self._directory.name, "notify"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.setblocking(False)
        self._notifications: list[str] = []
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                env={**environment, "NOTIFY_SOCKET": path},
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()
        self._directory.cleanup()

    @property
    def text(self) -> str:
        """Its log. Empties the socket as well: a full one would block the program."""
        _ = self.notifications
        return self._log.read_text(encoding="utf-8")

    @property
    def memory_bytes(self) -> int:
        """What it holds in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    @property
    def notifications(self) -> list[str]:
        """What it told systemd so far."""
        while True:
            try:
                self._notifications.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self._notifications

    def wait_until_ready(self) -> None:
        wait_until(lambda: "READY=1" in self.notifications or self.process.poll() is not None, what="READY=1")
        assert "READY=1" in self.notifications, self.text

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(self.drain_seconds)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
