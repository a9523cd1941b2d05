"""What Alertmanager tells a webhook, as lines for the journal."""

from collections.abc import Iterator

import msgspec

from lambda_app.core.visible import visible


class Alert(msgspec.Struct, frozen=True):
    """An alert of a notification, by the names of Alertmanager's JSON."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}


class Notification(msgspec.Struct, frozen=True):
    """Alerts that Alertmanager tells together; some of them may be over by now."""

    alerts: tuple[Alert, ...]


def parse_notification(body: bytes) -> tuple[Alert, ...]:
    """The alerts of a request; raises ValueError when it is not one of Alertmanager's."""
    return msgspec.json.decode(body, type=Notification).alerts


def is_resolved(alert: Alert) -> bool:
    """Whether it is over."""
    return alert.status == "resolved"


def alert_line(alert: Alert) -> str:
    """Name, severity, what is wrong, what it means, and where it says what to do.

    >>> alert_line(Alert("firing", {"alertname": "DiskLow", "severity": "critical"}, {"summary": "/ is full"}))
    'DiskLow (critical): / is full'
    """
    return visible(" ".join(_parts(alert)))


def _parts(alert: Alert) -> Iterator[str]:
    name, severity = (alert.labels.get(label, "unknown") for label in ("alertname", "severity"))
    over = ", resolved" if is_resolved(alert) else ""
    yield f"{name} ({severity}{over}):"
    yield alert.annotations.get("summary", "no summary")
    if over:
        return
    if description := alert.annotations.get("description"):
        yield f"- {description}"
    if runbook := alert.annotations.get("runbook_url"):
        yield f"- {runbook}"
