"""How commands print: tables on stdout, progress on stderr, and plainly where there is no terminal."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# In columns, where no terminal tells its own.
PIPED_WIDTH = 140


def output() -> Console:
    """For tables."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def progress() -> Progress:
    """A bar for whoever watches; nothing in a journal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    )
