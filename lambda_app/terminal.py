"""How commands print: lines and tables on stdout, progress on stderr, plainly where there is no terminal.

Commands print by nothing else (ruff bans rich and click.echo in them), since names and reasons come from outside: all
text is made visible here, before a table is laid out, and no markup in it is obeyed.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lambda_app.core.visible import visible

# In columns, where no terminal tells its own.
PIPED_WIDTH = 140
# A narrower terminal gets the columns alone that do not say `wide`.
WIDE = 120

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


class Styled(NamedTuple):
    """A piece of text in a style of rich, such as "green"."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; one that does not fold keeps its width."""

    heading: str
    right: bool = False
    fold: bool = False
    wide: bool = False


def say(*parts: str | Styled) -> None:
    """Prints a line, however long it is."""
    _console().print(Text.assemble(*map(_text, parts)), soft_wrap=True)


def say_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Styled]]) -> None:
    """Prints a table, a cell a column."""
    console = _console()
    shown = [index for index, column in enumerate(columns) if console.width >= WIDE or not column.wide]
    table = Table(box=SIMPLE_HEAD)
    for column in (columns[index] for index in shown):
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=not column.fold, overflow="fold"
        )
    for row in rows:
        table.add_row(*(_text(row[index]) for index in shown))
    console.print(table)


def say_json(document: object) -> None:
    """Prints a document for programs; times in ISO 8601."""
    text = json.dumps(document, indent=2, default=_json_value)
    # The one control character that JSON's own escapes leave out.
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def progress() -> Progress:
    """A bar for whoever watches; nothing in a journal."""
    return Progress(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    )


class _Description(ProgressColumn):
    def render(self, task: Task) -> Text:
        return _text(task.description)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, markup=False, emoji=False)


def _text(part: str | Styled) -> Text:
    return Text(visible(part.text), part.style) if isinstance(part, Styled) else Text(visible(part))


def _json_value(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
