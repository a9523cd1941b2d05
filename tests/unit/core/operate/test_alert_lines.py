import json

import pytest

from lambda_app.core.operate.alert_lines import Alert, alert_line, parse_notification

LABELS = {"alertname": "TargetDown", "severity": "critical", "instance": "host1"}
TEXTS = {
    "summary": "kafka does not answer",
    "description": "It may have stopped.",
    "runbook_url": "http://h/r#targetdown",
}


def test_alert_says_what_is_wrong_what_it_means_and_where_to_read_on() -> None:
    line = alert_line(Alert("firing", LABELS, TEXTS))

    assert line == "TargetDown (critical): kafka does not answer - It may have stopped. - http://h/r#targetdown"


def test_resolved_alert_says_that_it_is_over() -> None:
    assert alert_line(Alert("resolved", LABELS, TEXTS)) == "TargetDown (critical, resolved): kafka does not answer"


def test_alert_without_texts_is_a_line_too() -> None:
    assert alert_line(Alert("firing", {})) == "unknown (unknown): no summary"


def test_text_from_outside_stays_one_line_without_control_characters() -> None:
    line = alert_line(Alert("firing", LABELS, {"summary": "a\nb\x1b[2J"}))

    assert line == r"TargetDown (critical): a\nb\x1b[2J"


def test_notification_as_alertmanager_sends_it_is_read() -> None:
    body = {
        "version": "4",
        "status": "firing",
        "receiver": "journal",
        "alerts": [{"status": "firing", "labels": LABELS, "annotations": TEXTS, "startsAt": "2026-01-31T00:00:00Z"}],
    }

    assert parse_notification(json.dumps(body).encode()) == (Alert("firing", LABELS, TEXTS),)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"alerts": 3}', b'{"alerts": [{"labels": {}}]}', b"\xff"])
def test_other_request_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_notification(body)
