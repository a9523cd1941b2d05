"""Log lines hold names from outside: none of them can write a second line, or move a terminal's cursor."""

import logging
import subprocess
import sys

import pytest

from lambda_app.host import logs
from lambda_app.host.logs import LineFormatter, journal_fields

FORMATTER = LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
FAKE = "a.csv\n2026-01-31 00:00:00,000 INFO lambda_app.verify: exact\x1b[2J\u202e"


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    exception = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("lambda_app.inbox", logging.ERROR, "inbox.py", 1, "%s failed", (message,), exception)


def test_line_break_in_a_name_is_no_second_line():
    line = FORMATTER.format(record(FAKE))

    assert line.isprintable()
    assert line.endswith(r"a.csv\n2026-01-31 00:00:00,000 INFO lambda_app.verify: exact\x1b[2J\u202e failed")


def open_named(name: str) -> None:
    raise FileNotFoundError(name)


def test_line_break_in_an_exception_is_no_line_of_the_log():
    with pytest.raises(FileNotFoundError) as failure:
        open_named(FAKE)

    first, *rest = FORMATTER.format(record("a.csv", failure.value)).split("\n")

    assert first.endswith("a.csv failed")
    assert len(rest) >= 3
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_unexpected_error_ends_the_command_by_the_log():
    program = f"""
from lambda_app import cli
from lambda_app.host import logs

def fail(**_):
    logs.configure()
    raise ValueError({FAKE!r})
cli.app = fail
cli.main()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    first, *rest = result.stderr.rstrip("\n").split("\n")
    assert result.returncode == 1
    assert first.endswith("lambda_app.cli: Ended by an unexpected error")
    assert len(rest) >= 3
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@pytest.mark.parametrize("name", ["\udcff.csv", "ok.csv"])
def test_journal_gets_text_that_can_be_sent(name):
    item = record(name)
    item.file = name

    assert all(text.encode() for text in journal_fields(item).values())
    assert journal_fields(item)["FILE"] == name.replace("\udcff", r"\udcff")


def test_journal_gets_priority_and_fields() -> None:
    record = logging.makeLogRecord(
        {"levelno": logging.WARNING, "name": "lambda_app.x", "msg": "gap at %s", "args": (5,), "partition": 3}
    )

    fields = logs.journal_fields(record)

    assert (fields["MESSAGE"], fields["PRIORITY"], fields["PARTITION"]) == ("gap at 5", "4", "3")
    assert "ARGS" not in fields
