"""When systemd's timers run next."""

from dataclasses import dataclass
from datetime import UTC, datetime

# As systemctl prints times when it is told that the time zone is UTC.
_SHOWN = "%a %Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, slots=True)
class TimerFacts:
    """A timer of this host."""

    name: str
    # None: systemd has no time for it, for example since it is stopped.
    next_run_at: datetime | None


def parse_shown_time(text: str) -> datetime | None:
    """A time in the output of `systemctl show`; None for what is none.

    >>> parse_shown_time("Mon 2026-11-30 00:00:00 UTC")
    datetime.datetime(2026, 11, 30, 0, 0, tzinfo=datetime.timezone.utc)
    >>> parse_shown_time("n/a")
    """
    try:
        return datetime.strptime(text, _SHOWN).replace(tzinfo=UTC)
    except ValueError:
        return None
