"""Rows on their way into PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lambda_app.core.transaction.aggregates import Aggregates


@dataclass
class Rows:
    """Rows as COPY lines, and their aggregates."""

    lines: list[str] = field(default_factory=list)
    aggregates: Aggregates = field(default_factory=Aggregates)

    @staticmethod
    def of(lines: Sequence[str]) -> "Rows":
        """Rows of which only the lines are known."""
        return Rows(list(lines), Aggregates.of_lines(lines))

    def minutes(self) -> set[str]:
        """The minutes of the rows, in UTC."""
        return self.aggregates.minutes()

    def __len__(self) -> int:
        return len(self.lines)

    def __iadd__(self, other: "Rows") -> "Rows":
        self.lines += other.lines
        self.aggregates += other.aggregates
        return self
