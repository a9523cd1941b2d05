"""Words to systemd: ready, status, watchdog, stopping. Outside of systemd each of them does nothing."""

import os

from cysystemd.daemon import Notification, notify


def ready() -> None:
    """Tells systemd that the unit works: it becomes active."""
    _send(Notification.READY)


def status(text: str) -> None:
    """Sets the line that `systemctl status` shows."""
    _send(Notification.STATUS, text.replace("\n", " "))


def watchdog() -> None:
    """Tells systemd that the program is alive: due again within `watchdog_seconds`."""
    _send(Notification.WATCHDOG)


def stopping() -> None:
    """Tells systemd that the unit is stopping."""
    _send(Notification.STOPPING)


def watchdog_seconds() -> float | None:
    """The unit's WatchdogSec, None without one."""
    value = os.environ.get("WATCHDOG_USEC")
    return int(value) / 1_000_000 if value else None


def _send(notification: Notification, value: str = "") -> None:
    if os.environ.get("NOTIFY_SOCKET"):
        notify(notification, value)
