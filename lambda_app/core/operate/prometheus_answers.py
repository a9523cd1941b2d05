"""What Prometheus' HTTP interface answers, as facts: https://prometheus.io/docs/prometheus/latest/querying/api/."""

from dataclasses import dataclass

import msgspec

FIRING = "firing"
# The alert that always fires, for a dead man's switch, is no alert to people.
_NO_SEVERITY = "none"


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """An alert that fires."""

    name: str
    severity: str
    summary: str
    runbook_url: str
    # ISO 8601, as Prometheus says it.
    since: str


class _Alert(msgspec.Struct):
    state: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    activeAt: str = ""  # noqa: N815 - Prometheus' name


class _Alerts(msgspec.Struct):
    alerts: list[_Alert]


class _AlertsAnswer(msgspec.Struct):
    data: _Alerts


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct):
    result: list[_Series]


class _VectorAnswer(msgspec.Struct):
    data: _Vector


def parse_alerts(text: bytes | str) -> tuple[AlertFacts, ...]:
    """What fires in the answer of /api/v1/alerts, the gravest first. Raises ValueError when it is none."""
    alerts = msgspec.json.decode(text, type=_AlertsAnswer).data.alerts
    firing = [
        AlertFacts(
            name=alert.labels.get("alertname", ""),
            severity=alert.labels.get("severity", ""),
            summary=alert.annotations.get("summary", ""),
            runbook_url=alert.annotations.get("runbook_url", ""),
            since=alert.activeAt,
        )
        for alert in alerts
        if alert.state == FIRING and alert.labels.get("severity") != _NO_SEVERITY
    ]
    return tuple(sorted(firing, key=lambda alert: (alert.severity != "critical", alert.name, alert.summary)))


def parse_disk_paces(text: bytes | str) -> dict[tuple[str, str], float]:
    """The numbers of a vector by instance and mount point. Raises ValueError when it is none."""
    series = msgspec.json.decode(text, type=_VectorAnswer).data.result
    return {
        (each.metric.get("instance", ""), each.metric.get("mountpoint", "")): float(each.value[1]) for each in series
    }
