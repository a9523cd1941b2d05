"""Answers of Prometheus' HTTP interface as facts."""

import json

import pytest

from lambda_app.core.operate.prometheus_answers import AlertFacts, parse_alerts, parse_disk_paces


def alert(name: str, severity: str, state: str = "firing") -> dict[str, object]:
    return {
        "labels": {"alertname": name, "severity": severity},
        "annotations": {"summary": "wrong", "runbook_url": "url", "description": "long"},
        "state": state,
        "activeAt": "2026-11-29T01:00:00Z",
        "value": "1e+00",
    }


def test_what_fires_is_there_the_gravest_first():
    alerts = [
        alert("B", "warning"),
        alert("C", "critical"),
        alert("A", "critical"),
        alert("Pending", "critical", "pending"),
        alert("Watchdog", "none"),
    ]

    firing = parse_alerts(json.dumps({"status": "success", "data": {"alerts": alerts}}))

    assert [each.name for each in firing] == ["A", "C", "B"]
    assert firing[0] == AlertFacts("A", "critical", "wrong", "url", "2026-11-29T01:00:00Z")


def test_numbers_of_a_vector_are_by_host_and_mount_point():
    series = {"metric": {"instance": "a", "mountpoint": "/", "fstype": "ext4"}, "value": [1764374400.1, "38400"]}

    answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}})

    assert parse_disk_paces(answer) == {("a", "/"): 38400.0}


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"data": {}}'])
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(ValueError):
        parse_alerts(text)
    with pytest.raises(ValueError):
        parse_disk_paces(text)
