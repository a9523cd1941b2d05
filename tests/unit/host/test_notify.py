"""What systemd is told, and that nobody is where there is no systemd."""

import socket
from pathlib import Path

import pytest

from lambda_app.host import notify


def test_notify_reaches_systemd_and_is_silent_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify.ready()
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)

        notify.ready()
        notify.status("100 rows/s\nlag 5")
        notify.watchdog()
        notify.stopping()

        received = [server.recv(100).decode().strip() for _ in range(4)]
    assert received == ["READY=1", "STATUS=100 rows/s lag 5", "WATCHDOG=1", "STOPPING=1"]


def test_watchdog_seconds_come_from_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert notify.watchdog_seconds() is None

    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert notify.watchdog_seconds() == 60
