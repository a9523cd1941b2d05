"""Rows on their way into PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lambda_app.core.stats import Stats, aggregate_lines, merge


@dataclass
class Rows:
    """Rows as COPY lines, and their aggregates."""

    lines: list[str] = field(default_factory=list)
    stats: Stats = field(default_factory=dict)

    @staticmethod
    def of(lines: Sequence[str]) -> "Rows":
        """Rows of which only the lines are known."""
        return Rows(list(lines), aggregate_lines(lines))

    def minutes(self) -> set[str]:
        """The minutes of the rows, in UTC."""
        return {minute for minute, _, _ in self.stats}

    def __len__(self) -> int:
        return len(self.lines)

    def __iadd__(self, other: "Rows") -> "Rows":
        self.lines += other.lines
        merge(self.stats, other.stats)
        return self
