"""A clock that tests move."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class MovedClock:
    """Moves only when someone sleeps; `at` holds what happens on the way, by its second."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.at: dict[float, Callable[[], object]] = {}

    def now(self) -> datetime:
        return datetime(2026, 6, 15, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for moment in [each for each in self.at if each <= self.seconds]:
            self.at.pop(moment)()
