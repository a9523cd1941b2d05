"""What lies in the inbox and nobody takes: facts in, reasons out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lambda_app.core.inbox_names import is_hidden, is_input

# People upload under another name and rename.
RENAME_SECONDS = 60.0
# The planner comes within seconds, and again each minute when it fails.
TAKEN_SECONDS = 600.0
SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """An entry of the inbox at one moment."""

    name: str
    is_file: bool
    # Since it was last written to.
    quiet_seconds: float
    # Since it came here under this name, or was last written to.
    here_seconds: float


def not_taken(entries: Iterable[InboxEntry]) -> list[InboxEntry]:
    """Entries that are no input and stay it: what is hidden or still comes in is none of them."""
    return [
        entry
        for entry in entries
        if not is_hidden(entry.name) and not is_input(entry.name) and entry.quiet_seconds >= RENAME_SECONDS
    ]


def left_waiting(entries: Iterable[InboxEntry]) -> list[InboxEntry]:
    """Input that should have been taken long ago."""
    return [
        entry for entry in entries if entry.is_file and is_input(entry.name) and entry.here_seconds >= TAKEN_SECONDS
    ]


def inbox_reasons(entries: Iterable[InboxEntry]) -> Iterator[str]:
    """Why the inbox is a reason for concern, and what to do; nothing when it is none."""
    entries = sorted(entries, key=lambda entry: entry.name)
    if others := not_taken(entries):
        one = len(others) == 1
        yield (
            f"{_count(others)} in the inbox {'is' if one else 'are'} not taken: {_names(others)} "
            f"(rename {'it' if one else 'them'} to *.csv or *.csv.gz, or remove {'it' if one else 'them'})"
        )
    if waiting := left_waiting(entries):
        verb = "has" if len(waiting) == 1 else "have"
        yield (
            f"{_count(waiting)} in the inbox {verb} waited for more than {TAKEN_SECONDS / 60:.0f} minutes: "
            f"{_names(waiting)} (journalctl -u lambda-cron-runner says why)"
        )


def _count(entries: list[InboxEntry]) -> str:
    singular, plural = ("file", "files") if all(entry.is_file for entry in entries) else ("entry", "entries")
    return f"{len(entries):,} {singular if len(entries) == 1 else plural}"


def _names(entries: list[InboxEntry]) -> str:
    names = [entry.name for entry in entries[:SHOWN_NAMES]]
    left_out = len(entries) - len(names)
    return ", ".join(names) + (f" and {left_out:,} more" if left_out else "")
