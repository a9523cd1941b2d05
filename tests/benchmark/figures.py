"""A figure, beside what it should be. What is compared is measured in turns, and judged by its spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# How often two things are measured in turns, so that both get the same of what else the machine does.
PAIRS = 5


@dataclass(frozen=True)
class Figure:
    """One number: measured once, or the median of several measurements and the middle half of them."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is not what it should be, nor could be by its spread."""
        low, high = self.spread or (self.value, self.value)
        return not self._is_within(high, low)

    def __str__(self) -> str:
        target = ""
        if self.at_least is not None:
            target = f"at least {_number(self.at_least)}"
        if self.at_most is not None:
            target = f"at most {_number(self.at_most)}"
        verdict = ""
        if target:
            verdict = "MISSED" if self.is_missed else "met" if self._is_within(self.value, self.value) else "unclear"
        spread = f"{_number(self.spread[0])} to {_number(self.spread[1])}" if self.spread else ""
        return f"{self.name:<58} {_number(self.value):>12} {self.unit:<10} {spread:<20} {target:<18} {verdict}".rstrip()

    def _is_within(self, largest: float, smallest: float) -> bool:
        return (self.at_least is None or largest >= self.at_least) and (
            self.at_most is None or smallest <= self.at_most
        )


def figure(
    name: str, samples: Sequence[float], unit: str, at_least: float | None = None, at_most: float | None = None
) -> Figure:
    """The figure of several measurements."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Figure(name, median, unit, at_least, at_most, (low, high))


def ratio(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """The figure of measurements in those that were taken in turns with them."""
    samples = [our / their for our, their in zip(ours, theirs, strict=True)]
    return figure(name, samples, "", at_least, at_most)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
