"""The receiver on a loopback port, asked as Alertmanager asks."""

import http.client
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from lambda_app.errors import InvalidConfiguration
from lambda_app.host import logs
from lambda_app.operate.alert_receiver import BODY_LIMIT_BYTES, bind


@pytest.fixture
def port() -> Iterator[int]:
    with bind("127.0.0.1:0") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def status(port: int, method: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/", body, headers or {})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def notification(alert_status: str) -> bytes:
    alert = {"status": alert_status, "labels": {"alertname": "DiskLow", "severity": "critical"}, "annotations": {}}
    return json.dumps({"alerts": [alert]}).encode()


@pytest.mark.parametrize(("alert_status", "level"), [("firing", logs.ALERT), ("resolved", logging.INFO)])
def test_alert_reaches_the_log(port: int, alert_status: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = status(port, "POST", notification(alert_status))

    assert answer == 200
    assert [(record.levelno, record.alert) for record in caplog.records] == [(level, "DiskLow")]


def test_other_request_is_refused_and_the_next_one_served(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert status(port, "POST", b"{}") == 400
    assert status(port, "POST", headers={"Content-Length": str(BODY_LIMIT_BYTES + 1)}) == 413
    assert status(port, "POST", headers={"Content-Length": "-1"}) == 411

    assert status(port, "POST", notification("firing")) == 200
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logs.ALERT]


def test_receiver_answers_who_asks_whether_it_is_ready(port: int) -> None:
    assert status(port, "GET") == 200


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "nowhere.invalid:1"])
def test_address_that_is_not_one_is_refused(address: str) -> None:
    with pytest.raises(InvalidConfiguration, match="Alerts cannot be taken at"):
        bind(address)


def test_address_that_is_taken_is_refused(port: int) -> None:
    with pytest.raises(InvalidConfiguration, match="in use"):
        bind(f"127.0.0.1:{port}")
