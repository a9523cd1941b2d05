"""Log lines hold names from outside: none of them can write a second line, or move a terminal's cursor.

Each names its event in the journal, and of a burst one a second goes out.
"""

import logging
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lambda_app.core.events import Event
from lambda_app.host import logs
from lambda_app.host.logs import BurstHandler, LineFormatter, journal_fields
from tests.support.processes import wait_until

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


def test_journal_gets_the_event_by_its_name() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "x", **Event.JOB_PENDING.fields(job_id="BAT00001")})

    fields = journal_fields(record)

    assert (fields["LAMBDA_EVENT"], fields["JOB_ID"]) == ("job_pending", "BAT00001")


class Kept(logging.Handler):
    """Keeps what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.counts: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.counts.append(getattr(record, "lines", 1))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def logger(kept: Kept) -> Iterator[logging.Logger]:
    """A logger whose lines reach `kept` as those of a program reach the journal."""
    made = logging.getLogger(__name__)
    made.setLevel(logging.DEBUG)
    handler = BurstHandler(kept)
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)
    handler.close()


def test_burst_becomes_its_first_line_and_one_that_counts_the_others(logger: logging.Logger, kept: Kept) -> None:
    for number in range(10_000):
        logger.error("Record %s is lost", number, extra=Event.RECORD_LOST.fields())
    wait_until(lambda: sum(kept.counts) == 10_000, what="all lines to be counted")

    # The machine may take longer than a second for them.
    assert 2 <= len(kept.lines) <= 6
    assert kept.lines[0] == "Record 0 is lost"
    assert re.fullmatch(r"Record 9999 is lost \(and \d+ more like it\)", kept.lines[-1])


def test_two_lines_within_a_second_both_go_out_as_they_are(logger: logging.Logger, kept: Kept) -> None:
    for name in ("a", "b"):
        logger.info("%s is unfinished", name, extra=Event.FILE_UNFINISHED.fields(file=name))
    wait_until(lambda: len(kept.lines) == 2, what="the second line")

    assert kept.lines == ["a is unfinished", "b is unfinished"]


def test_events_that_come_in_no_bursts_all_go_out_at_once(logger: logging.Logger, kept: Kept) -> None:
    for number in range(50):
        logger.info("BAT%s is pending", number, extra=Event.JOB_PENDING.fields(job_id=number))
        logger.info("without an event")

    assert len(kept.lines) == 100


def test_what_is_held_back_goes_out_when_the_program_ends(logger: logging.Logger, kept: Kept) -> None:
    for number in range(5):
        logger.error("Record %s is lost", number, extra=Event.RECORD_LOST.fields())

    logger.handlers[0].flush()

    assert kept.lines == ["Record 0 is lost", "Record 4 is lost (and 3 more like it)"]


def test_child_says_nothing_of_what_its_parent_holds_back(logger: logging.Logger, kept: Kept) -> None:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        logger.handlers[0].flush()
        sender.send(kept.lines)

    for number in range(5):
        logger.error("Record %s is lost", number, extra=Event.RECORD_LOST.fields())
    process = context.Process(target=child)
    process.start()

    assert receiver.recv() == ["Record 0 is lost"]
    process.join()
