"""The table of docs/logs.md, made from the declared events: `python -m tests.docs.event_table` writes it."""

import logging
from pathlib import Path

from lambda_app.core.events import Event
from lambda_app.host import logs

PAGE = Path(__file__).parents[2] / "docs/logs.md"
HEADING = "| event | priority | fields | what it means |\n|---|---|---|---|\n"
# The journal's words for the levels of events.
PRIORITIES = {1: "alert", 3: "err", 4: "warning", 6: "info", 7: "debug"}


def table() -> str:
    return HEADING + "".join(map(_row, Event))


def written() -> str:
    """The page, with the table that belongs there."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEADING)
    after = rest.partition("\n\n")[2]
    return f"{before}{table()}\n{after}" if after else before + table()


def _row(event: Event) -> str:
    declared = event.value
    level = logs.ALERT if declared.level == "alert" else logging.getLevelNamesMapping()[declared.level.upper()]
    fields = ", ".join(f"`{field.upper()}`" for field in declared.fields)
    bursts = " In bursts: one line a second." if declared.in_bursts else ""
    return f"| `{event}` | {PRIORITIES[logs.PRIORITIES[level]]} | {fields} | {declared.meaning}{bursts} |\n"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
