"""Lines that come in bursts: one goes out at once, then one a second, which stands for all that were held back."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

PAUSE_SECONDS = 1.0

Line = TypeVar("Line")


@dataclass
class _Pause(Generic[Line]):
    until: float
    newest: Line | None = None
    held_back: int = 0


class Bursts(Generic[Line]):
    """Decides for each line, by the kind that it is of; `now` never goes back."""

    def __init__(self) -> None:
        self._pauses: dict[Hashable, _Pause[Line]] = {}

    def admit(self, kind: Hashable, line: Line, now: float) -> bool:
        """Whether the line goes out; if not, it is held back until `due` gives it, or a newer one of its kind."""
        pause = self._pauses.get(kind)
        if pause is None or (now >= pause.until and not pause.held_back):
            self._pauses[kind] = _Pause(now + PAUSE_SECONDS)
            return True
        pause.newest = line
        pause.held_back += 1
        return False

    def due(self, now: float) -> Iterator[tuple[Line, int]]:
        """The newest line of each kind whose pause is over, and how many were held back with it, itself included."""
        for kind, pause in list(self._pauses.items()):
            if now < pause.until:
                continue
            if pause.newest is None:
                del self._pauses[kind]
                continue
            # Sent now: the next pause begins.
            self._pauses[kind] = _Pause(now + PAUSE_SECONDS)
            yield pause.newest, pause.held_back

    def next_due(self) -> float | None:
        """When `due` will have a line; None while nothing is held back."""
        return min((pause.until for pause in self._pauses.values() if pause.held_back), default=None)

    def drain(self) -> Iterator[tuple[Line, int]]:
        """As `due`, of all that is held back; pauses end."""
        held = [(pause.newest, pause.held_back) for pause in self._pauses.values()]
        self.clear()
        yield from ((line, count) for line, count in held if line is not None)

    def clear(self) -> None:
        """Forgets everything."""
        self._pauses.clear()
