"""Entries of the inbox that are not taken: facts in, reasons out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lambda_app.core.batch.inbox_names import is_hidden, is_input

# An entry that was written to within this time may be an upload that is renamed at its end.
RENAME_SECONDS = 60.0
# Input that lies in the inbox for longer is a reason for concern: the planner comes within seconds, and after a failure
# each minute.
TAKEN_SECONDS = 600.0
SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """An entry of the inbox at one moment."""

    name: str
    is_file: bool
    # Time since it was last written to.
    quiet_seconds: float
    # Time since it came here under this name, or was last written to.
    here_seconds: float


def not_taken(entries: Iterable[InboxEntry]) -> list[InboxEntry]:
    """Entries whose names are not those of input; hidden ones are left alone."""
    return [entry for entry in entries if not is_hidden(entry.name) and not is_input(entry.name)]


def left_waiting(entries: Iterable[InboxEntry]) -> list[InboxEntry]:
    """Input that should have been taken long ago."""
    return [
        entry for entry in entries if entry.is_file and is_input(entry.name) and entry.here_seconds >= TAKEN_SECONDS
    ]


def inbox_reasons(entries: Iterable[InboxEntry]) -> Iterator[str]:
    """Each reason for concern about the inbox, with what to do; nothing when all is well."""
    entries = sorted(entries, key=lambda entry: entry.name)
    if others := [entry for entry in not_taken(entries) if not _may_be_renamed(entry)]:
        them = "it" if len(others) == 1 else "them"
        yield f"{_say_not_taken(others)} (rename {them} to *.csv or *.csv.gz, or remove {them})"
    if waiting := left_waiting(entries):
        verb = "has" if len(waiting) == 1 else "have"
        yield (
            f"{_count(waiting)} in the inbox {verb} waited for more than {TAKEN_SECONDS / 60:.0f} minutes: "
            f"{_names(waiting)} (journalctl -u lambda-cron-runner says why)"
        )


def inbox_note(entries: Iterable[InboxEntry]) -> str | None:
    """Names the entries that are not taken but may still be renamed, since people upload under another name."""
    others = sorted(filter(_may_be_renamed, not_taken(entries)), key=lambda entry: entry.name)
    return _say_not_taken(others) if others else None


def _may_be_renamed(entry: InboxEntry) -> bool:
    return entry.quiet_seconds < RENAME_SECONDS


def _say_not_taken(entries: list[InboxEntry]) -> str:
    return f"{_count(entries)} in the inbox {'is' if len(entries) == 1 else 'are'} not taken: {_names(entries)}"


def _count(entries: list[InboxEntry]) -> str:
    singular, plural = ("file", "files") if all(entry.is_file for entry in entries) else ("entry", "entries")
    return f"{len(entries):,} {singular if len(entries) == 1 else plural}"


def _names(entries: list[InboxEntry]) -> str:
    names = [entry.name for entry in entries[:SHOWN_NAMES]]
    left_out = len(entries) - len(names)
    return ", ".join(names) + (f" and {left_out:,} more" if left_out else "")
