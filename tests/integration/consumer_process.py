"""`lambda-app consume` as a process of its own, with a notification socket as systemd gives one."""

import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from servers import REPOSITORY, end_with_parent, wait_until


class ConsumerProcess:
    def __init__(
        self,
        environment: Mapping[str, str],
        bootstrap_servers: str,
        topic: str,
        workers: int = 2,
        changes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lambda-consumer-")
        self.log = Path(self._directory.name, "log")
        path = str(Path(self._directory.name, "notify"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.setblocking(False)
        self.notifications: list[str] = []
        settings = {
            "NOTIFY_SOCKET": path,
            "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "LAMBDA_KAFKA_TOPIC": topic,
            # Members that a test killed shall not be waited for in the next.
            "LAMBDA_KAFKA_GROUP": f"group-of-{topic}",
            "LAMBDA_CONSUME_WORKERS": str(workers),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lambda_app", "consume"],
                env={**environment, **settings, **changes},
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    def __enter__(self) -> "ConsumerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()
        self._directory.cleanup()

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def listen(self) -> list[str]:
        """What it told systemd so far."""
        while True:
            try:
                self.notifications.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.notifications

    def wait_until_ready(self, timeout_seconds: float = 30) -> None:
        wait_until(self._is_ready_or_gone, timeout_seconds, "READY=1")
        assert "READY=1" in self.notifications, self.text

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="utf-8")
        return [int(pid) for pid in children.split()]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout_seconds: float = 20) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_seconds)

    def _is_ready_or_gone(self) -> bool:
        return "READY=1" in self.listen() or self.process.poll() is not None


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


__all__ = ["ConsumerProcess", "is_running"]
