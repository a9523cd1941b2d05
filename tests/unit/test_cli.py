"""The command line: its commands, and what becomes of an error."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lambda_app import cli


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


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["db", "status"], os.EX_CONFIG),
        (["frobnicate"], 2),
        (["--help"], 0),
    ],
)
def test_unit_of_a_job_leaves_its_exit_status(
    arguments: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lambda-app", *arguments])
    monkeypatch.setenv("PGSERVICEFILE", "/nowhere/pg_service.conf")
    monkeypatch.setenv("LAMBDA_COMPONENT", "lambda-csv-batch")
    monkeypatch.setenv("LAMBDA_METRICS_DIRECTORY", str(tmp_path))

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == status
    left = (tmp_path / "run-lambda-csv-batch.prom").read_text(encoding="utf-8")
    assert f'lambda_run_exit_status{{component="lambda-csv-batch"}} {status}.0\n' in left
