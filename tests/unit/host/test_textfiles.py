"""What a program leaves for the node exporter, and that leaving it never harms the program."""

import logging
import os
from pathlib import Path

import pytest

from lambda_app.core.events import EVENT_FIELD, Event
from lambda_app.core.metrics import declared
from lambda_app.host import textfiles
from tests.support.clock import MovedClock

SAMPLES = [declared.VERIFY_DIFFERENCES.sample(2)]
TEXT = """\
# HELP lambda_verify_differences Differences that the last audit found.
# TYPE lambda_verify_differences gauge
lambda_verify_differences 2.0
"""


def test_file_is_for_every_user_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_METRICS_DIRECTORY", str(tmp_path))
    old = os.umask(0o077)
    try:
        textfiles.leave("verify", SAMPLES)
    finally:
        os.umask(old)

    [path] = tmp_path.iterdir()
    assert (path.name, path.read_text(encoding="utf-8")) == ("verify.prom", TEXT)
    assert path.stat().st_mode & 0o777 == 0o644


def test_nothing_is_left_where_the_environment_names_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAMBDA_METRICS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)

    textfiles.leave("verify", SAMPLES)

    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_written_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LAMBDA_METRICS_DIRECTORY", str(tmp_path / "missing"))

    textfiles.leave("verify", SAMPLES)

    [record] = caplog.records
    assert (record.levelno, getattr(record, EVENT_FIELD)) == (logging.WARNING, Event.TEXTFILE_FAILED)


def test_file_that_cannot_be_replaced_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LAMBDA_METRICS_DIRECTORY", str(tmp_path))
    (tmp_path / "verify.prom").mkdir()

    textfiles.leave("verify", SAMPLES)

    assert [path.name for path in tmp_path.iterdir()] == ["verify.prom"]
    assert len(caplog.records) == 1


def test_run_is_left_by_the_unit_of_a_component_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_METRICS_DIRECTORY", str(tmp_path))
    clock = MovedClock()

    monkeypatch.delenv("LAMBDA_COMPONENT", raising=False)
    textfiles.leave_run(0, clock.seconds - 5, clock)
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setenv("LAMBDA_COMPONENT", "lambda-verify")
    textfiles.leave_run(75, clock.seconds - 5, clock)
    [path] = tmp_path.iterdir()
    assert path.name == "run-lambda-verify.prom"
    values = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert values[1:] == [
        'lambda_run_duration_seconds{component="lambda-verify"} 5.0',
        'lambda_run_exit_status{component="lambda-verify"} 75.0',
    ]
