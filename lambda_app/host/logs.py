"""Where log lines go: under systemd into the journal with priority and fields, else to standard error.

A record's event and its fields are given by `extra=`, as lambda_app/core/events.py says: `extra={"partition": 3}` is
`PARTITION=3` there. Messages hold names from outside: on standard error they are made visible, and stay one line;
journald does so itself.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Iterable
from types import TracebackType

from lambda_app.core.bursts import Bursts
from lambda_app.core.events import EVENT_FIELD, Event
from lambda_app.core.visible import visible

# The level of messages that must reach a person: `journalctl -t lambda-alert` shows them beside those of failed units.
ALERT = 60
PRIORITIES = {ALERT: 1, logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class BurstHandler(logging.Handler):
    """Gives records to another handler: of an event that comes in bursts one a second, which says for how many."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target
        self._bursts: Bursts[logging.LogRecord] = Bursts()
        self._timer: threading.Timer | None = None
        # A child says nothing of what its parent holds back; the parent will.
        os.register_at_fork(after_in_child=self._bursts.clear)

    def emit(self, record: logging.LogRecord) -> None:
        event, now = getattr(record, EVENT_FIELD, None), time.monotonic()
        self._give(self._bursts.due(now))
        if not (isinstance(event, Event) and event.value.in_bursts) or self._bursts.admit(event, record, now):
            self._target.handle(record)
        else:
            self._start_timer(now)

    def flush(self) -> None:
        """Gives what is held back: `logging` calls it when the program ends."""
        self.acquire()
        try:
            self._give(self._bursts.drain())
        finally:
            self.release()
        self._target.flush()

    def _give(self, held_back: Iterable[tuple[logging.LogRecord, int]]) -> None:
        for record, count in held_back:
            if count > 1:
                record.msg, record.args = f"{record.getMessage()} (and {count - 1} more like it)", ()
                record.lines = count
            self._target.handle(record)

    def _start_timer(self, now: float) -> None:
        due = self._bursts.next_due()
        # Fork leaves the thread of a timer behind: then it is not alive.
        if due is not None and not (self._timer and self._timer.is_alive()):
            self._timer = threading.Timer(max(0.0, due - now), self._wake)
            self._timer.daemon = True
            self._timer.start()

    def _wake(self) -> None:
        self.acquire()
        try:
            now = time.monotonic()
            self._timer = None
            self._give(self._bursts.due(now))
            self._start_timer(now)
        finally:
            self.release()


class JournalHandler(logging.Handler):
    """Sends a record to the journal; `extra=` fields become journal fields in capitals."""

    def emit(self, record: logging.LogRecord) -> None:
        from cysystemd.journal import send

        try:
            send(**journal_fields(record))
        except Exception:  # noqa: BLE001 - logging must never end the program
            self.handleError(record)


def journal_fields(record: logging.LogRecord) -> dict[str, str]:
    """The journal's view of a record."""
    message = record.getMessage()
    if record.exc_info and record.exc_info[0]:
        message += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(PRIORITIES.get(record.levelno, 6)),
        "SYSLOG_IDENTIFIER": "lambda-alert" if record.levelno == ALERT else "lambda-app",
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "LOGGER": record.name,
    }
    for name, value in vars(record).items():
        if name not in _STANDARD_FIELDS and name.isidentifier() and not name.startswith("_"):
            fields[name.upper()] = str(value)
    # The journal takes UTF-8 alone; a file's name may hold other bytes.
    return {name: text.encode(errors="backslashreplace").decode() for name, text in fields.items()}


class LineFormatter(logging.Formatter):
    """A record as one line; a traceback follows it, indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802
        """The traceback."""
        return "\n".join(f"    {visible(line)}" for line in super().formatException(ei).split("\n"))


def configure(verbose: bool = False) -> None:
    """Sets up logging for a program."""
    handler: logging.Handler
    if _stderr_is_the_journal():
        handler = JournalHandler()
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.addLevelName(ALERT, "ALERT")
    root = logging.getLogger()
    root.handlers[:] = [BurstHandler(handler)]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # kafka-python logs each lost connection many times; our own lines tell it once.
    logging.getLogger("kafka").setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    logging.getLogger("yoyo").setLevel(logging.WARNING)


def _stderr_is_the_journal() -> bool:
    # JOURNAL_STREAM alone does not tell: children whose output goes elsewhere inherit it.
    stderr = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"
