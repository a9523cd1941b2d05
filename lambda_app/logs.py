"""Where log lines go: under systemd into the journal with priority and fields, else to standard error.

A field is given by `extra=`: `logger.info("Took over %s", partition, extra={"partition": 3})` is `PARTITION=3` there.
"""

import logging
import os
import traceback

# For what must reach a person: `journalctl -t lambda-alert` shows these lines beside those of failed units.
ALERT = 60
_PRIORITIES = {ALERT: 1, logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


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
        "PRIORITY": str(_PRIORITIES.get(record.levelno, 6)),
        "SYSLOG_IDENTIFIER": "lambda-alert" if record.levelno == ALERT else "lambda-app",
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "LOGGER": record.name,
    }
    for name, value in vars(record).items():
        if name not in _STANDARD_FIELDS and name.isidentifier() and not name.startswith("_"):
            fields[name.upper()] = str(value)
    return fields


def configure(verbose: bool = False) -> None:
    """Sets up logging for a program."""
    handler: logging.Handler
    if _stderr_is_the_journal():
        handler = JournalHandler()
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.addLevelName(ALERT, "ALERT")
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # Says each lost connection many times; our own lines say it once.
    logging.getLogger("kafka").setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    logging.getLogger("yoyo").setLevel(logging.WARNING)


def _stderr_is_the_journal() -> bool:
    # The variable alone is inherited by children whose output goes elsewhere.
    stderr = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"
