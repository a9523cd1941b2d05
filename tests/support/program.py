"""`lambda-app` as a process of its own, with a notification socket as systemd gives one."""

import contextlib
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.processes import REPOSITORY, end_with_parent, wait_until

COMMAND = [sys.executable, "-m", "lambda_app"]


def on_host(name: str) -> list[str]:
    """The command for a Program that believes to be on another host: two consumers of one host do not go together."""
    return ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name, *COMMAND]


def memory_bytes(pid: int) -> int:
    """What a process holds in memory now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def run_program(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand to its end, whatever the end is."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )


def run_on_terminal(environment: Mapping[str, str], *arguments: str, columns: int = 80) -> str:
    """Runs a subcommand on a terminal so many columns wide; gives all that it writes there."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *arguments], env={**environment, "TERM": "xterm"}, cwd=REPOSITORY, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        written = b"".join(_pieces(controller, process))
    os.close(controller)
    return written.decode()


def interrupt_on_terminal(
    environment: Mapping[str, str], *arguments: str, after: str, times: int = 1, size: tuple[int, int] = (80, 24)
) -> tuple[str, int]:
    """Runs a subcommand on a terminal and presses Ctrl-C when it has written a text so often; gives all it writes
    there, and its exit status."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env={**environment, "TERM": "xterm"},
        cwd=REPOSITORY,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
    ) as process:
        os.close(terminal)
        written, is_pressed = b"", False
        for piece in _pieces(controller, process):
            written += piece
            if not is_pressed and written.count(after.encode()) >= times:
                os.write(controller, b"\x03")
                is_pressed = True
    os.close(controller)
    return written.decode(), process.returncode


def _pieces(controller: int, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a process writes on its terminal until it ends; a test that is over takes it along."""
    try:
        # Linux ends what is read from a terminal with an error.
        with contextlib.suppress(OSError):
            while piece := os.read(controller, 65536):
                yield piece
    except BaseException:
        process.kill()
        raise


class Program:
    """A subcommand that runs until the block ends."""

    # How long it may take to end after SIGTERM.
    drain_seconds: float = 25

    def __init__(self, environment: Mapping[str, str], *arguments: str, command: Sequence[str] = COMMAND) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lambda-program-")
        self._log = Path(self._directory.name, "log")
        path = str(Path(self._directory.name, "notify"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(0.2)
        # What it told systemd so far. Taken at once: the kernel keeps ten, then the sender waits.
        self.notifications: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._is_over = False
        self._listener.start()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                env={**environment, "NOTIFY_SOCKET": path},
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if error:
            print(self.text)
        self._is_over = True
        self._listener.join()
        self._socket.close()
        self._directory.cleanup()

    @property
    def text(self) -> str:
        """Its log."""
        return self._log.read_text(encoding="utf-8")

    @property
    def memory_bytes(self) -> int:
        """What it holds in memory now."""
        return memory_bytes(self.process.pid)

    def wait_until_ready(self) -> None:
        wait_until(lambda: "READY=1" in self.notifications or self.process.poll() is not None, what="READY=1")
        assert "READY=1" in self.notifications, self.text

    def wait_for(self, text: str) -> None:
        """Returns when its log holds this."""
        wait_until(lambda: text in self.text or self.process.poll() is not None, what=f"the log saying {text!r}")
        assert text in self.text, self.text

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(self.drain_seconds)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _listen(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError):
                self.notifications.append(self._socket.recv(4096).decode())
