"""How commands print: lines, tables and pages on stdout, progress on stderr, plainly where there is no terminal.

Commands print by nothing else (ruff bans rich and click.echo in them), since names and reasons come from outside: all
text is made visible here, before a table is laid out, and no markup in it is obeyed.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import product
from typing import NamedTuple
from uuid import UUID

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lambda_app.core.visible import visible

# Width of piped output, in characters. A narrower terminal gets tables with fewer columns.
WIDE = 140

# Of a page: where its lines go on after their label.
LABEL_WIDTH = 10

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
    # Left out on a narrow terminal.
    wide: bool = False
    # On a narrow terminal a line after the table instead, which begins with the row's first cell.
    below: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page: after a label of LABEL_WIDTH characters, or without one."""

    label: str | Styled
    parts: tuple[str | Styled, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of a page under headings, a space between the columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Styled]]


Page = Sequence[Line | Grid]


def say_page(page: Page) -> None:
    """Prints a page; a line, however long it is, stays one, so that a name in it can be copied."""
    console = _console()
    for part in page:
        if isinstance(part, Line):
            console.print(_whole(part), soft_wrap=True)
        else:
            console.print(_grid(part, console))


def page_lines(page: Page, height: int) -> list[str]:
    """The page as lines that a terminal does not wrap, at most so many; a long one goes on below its beginning."""
    console = _console()
    with console.capture() as capture:
        for part in page:
            console.print(_folded(part) if isinstance(part, Line) else _grid(part, console))
    lines = capture.get().splitlines()
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], f"({len(lines) - height + 1} more lines: a taller window shows them)"]


def is_terminal() -> bool:
    """Whether people look at what is printed, as it is printed."""
    return sys.stdout.isatty()


def is_narrow() -> bool:
    """Whether columns that are wide are left out."""
    return _console().width < WIDE


def _whole(line: Line) -> Text:
    label = _text(line.label)
    if line.parts:
        label.pad_right(max(0, LABEL_WIDTH - label.cell_len))
    return Text.assemble(label, *map(_text, line.parts))


def _folded(line: Line) -> Table | Text:
    if not line.parts:
        return _text(line.label)
    table = Table.grid()
    table.add_column(width=LABEL_WIDTH)
    table.add_column(overflow="fold")
    table.add_row(_text(line.label), Text.assemble(*map(_text, line.parts)))
    return table


def _grid(part: Grid, console: Console) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    is_narrow = console.width < WIDE
    shown = [index for index, column in enumerate(part.columns) if not (is_narrow and column.wide)]
    for column in (part.columns[index] for index in shown):
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True, overflow="fold")
    for row in part.rows:
        table.add_row(*(_text(row[index]) for index in shown))
    return table


def say(*parts: str | Styled) -> None:
    """Prints a line, however long it is."""
    _console().print(Text.assemble(*map(_text, parts)), soft_wrap=True)


def say_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Styled]]) -> None:
    """Prints a table, a cell a column."""
    console, rows = _console(), list(rows)
    is_narrow = console.width < WIDE
    shown = [index for index, column in enumerate(columns) if not (is_narrow and (column.wide or column.below))]
    table = Table(box=SIMPLE_HEAD)
    for column in (columns[index] for index in shown):
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=not column.fold, overflow="fold"
        )
    for row in rows:
        table.add_row(*(_text(row[index]) for index in shown))
    console.print(table)
    below = [index for index, column in enumerate(columns) if is_narrow and column.below]
    for row, index in product(rows, below):
        if row[index]:
            say(row[0], ": ", row[index])


def say_json(document: object) -> None:
    """Prints a document for programs, in ASCII; times in ISO 8601."""
    sys.stdout.write(json.dumps(document, indent=2, default=_json_value) + "\n")


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
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False, emoji=False)


def _text(part: str | Styled) -> Text:
    return Text(visible(part.text), part.style) if isinstance(part, Styled) else Text(visible(part))


def _json_value(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
