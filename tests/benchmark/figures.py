"""A figure, beside what it should be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is what it should be."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        target = ""
        if self.at_least is not None:
            target = f"at least {_number(self.at_least)}"
        if self.at_most is not None:
            target = f"at most {_number(self.at_most)}"
        verdict = "" if not target else "met" if self.is_met else "MISSED"
        return f"{self.name:<58} {_number(self.value):>12} {self.unit:<10} {target:<18} {verdict}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
