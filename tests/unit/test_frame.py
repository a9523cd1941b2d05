"""The program's frame: command line, logging, notification, named queries, credentials."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lambda_app import cli
from lambda_app.broker.client import _security
from lambda_app.database.queries import queries
from lambda_app.errors import AccessRefused, DatabaseUnavailable, InvalidConfiguration, LambdaError
from lambda_app.host import logs, notify
from lambda_app.host.environment import credential_path
from lambda_app.settings import Settings


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The command sets up logging for the whole process: other tests shall not notice."""
    names = ("", "kafka", "yoyo")
    levels = [logging.getLogger(name).level for name in names]
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


def test_error_becomes_one_line_and_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lambda-app", "db", "status"])
    monkeypatch.setenv("PGSERVICEFILE", "/nowhere/pg_service.conf")

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == os.EX_CONFIG
    assert 'service file "/nowhere/pg_service.conf" not found' in capfd.readouterr().err


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])

    assert result.exit_code == 0
    assert all(name in result.output for name in cli.COMMANDS)


def test_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli.app, ["frobnicate"])

    assert result.exit_code == 2
    assert "No such command" in result.output


def test_error_without_words_says_its_docstring() -> None:
    assert str(DatabaseUnavailable()) == "PostgreSQL is away."
    assert str(LambdaError("this")) == "this"
    assert (AccessRefused.exit_status, DatabaseUnavailable.exit_status) == (os.EX_NOPERM, os.EX_TEMPFAIL)


def test_journal_gets_priority_and_fields() -> None:
    record = logging.makeLogRecord(
        {"levelno": logging.WARNING, "name": "lambda_app.x", "msg": "gap at %s", "args": (5,), "partition": 3}
    )

    fields = logs.journal_fields(record)

    assert (fields["MESSAGE"], fields["PRIORITY"], fields["PARTITION"]) == ("gap at 5", "4", "3")
    assert "ARGS" not in fields


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


def test_queries_are_found_by_name() -> None:
    found = queries("positions")

    assert {"select_positions", "insert_position", "move_position", "insert_gap", "advance_positions"} <= set(found)
    assert found["select_positions"].startswith("-- The positions of")


def test_credential_path_is_none_when_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert credential_path("pgpass-stream") is None

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential_path("pgpass-stream") is None

    (tmp_path / "pgpass-stream").touch()
    assert credential_path("pgpass-stream") == tmp_path / "pgpass-stream"


def test_kafka_user_is_authenticated_exactly_when_its_credential_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert _security(Settings(), "lambda-consumer") == {"security_protocol": "PLAINTEXT"}
    with pytest.raises(InvalidConfiguration, match="kafka-consumer"):
        _security(Settings(kafka_security_protocol="SASL_PLAINTEXT"), "lambda-consumer")

    (tmp_path / "kafka-consumer").write_text("secret\n", encoding="utf-8")
    assert _security(Settings(), "lambda-consumer") == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "lambda-consumer",
        "sasl_plain_password": "secret",
    }
    assert _security(Settings(kafka_security_protocol="PLAINTEXT"), "lambda-consumer") == {
        "security_protocol": "PLAINTEXT"
    }
