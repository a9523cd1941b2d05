"""The aggregates of rows on their way into PostgreSQL, worked out at once only where rows share keys.

Rows in the order of their times share a few hundred keys among thousands. Where nearly each row has a key of its own,
aggregates save nothing, and who stores the rows may have a quicker way: it gets the columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lambda_app.core.stats import Key, Stats, aggregate, columns_of_lines, merge


class Columns(NamedTuple):
    """What the aggregates of rows are made from, by column."""

    keys: Sequence[Key]
    amounts: Sequence[float]
    risk_scores: Sequence[float | None]


@dataclass
class Aggregates:
    """The aggregates of rows: some worked out, the others still as columns."""

    stats: Stats = field(default_factory=dict)
    columns: list[Columns] = field(default_factory=list)

    @staticmethod
    def of(columns: Columns) -> "Aggregates":
        """Those of rows given by their columns."""
        if are_keys_rare(len(set(columns.keys)), len(columns.keys)):
            return Aggregates({}, [columns])
        return Aggregates(aggregate(*columns))

    @staticmethod
    def of_lines(lines: Iterable[str]) -> "Aggregates":
        """Those of COPY lines."""
        return Aggregates.of(Columns(*columns_of_lines(lines)))

    def minutes(self) -> set[str]:
        """The minutes of the rows, in UTC."""
        minutes = {minute for minute, _, _ in self.stats}
        for keys, _, _ in self.columns:
            minutes.update([minute for minute, _, _ in keys])
        return minutes

    def work_out(self) -> Stats:
        """All of them."""
        stats = dict(self.stats)
        for columns in self.columns:
            merge(stats, aggregate(*columns))
        return stats

    def __iadd__(self, other: "Aggregates") -> "Aggregates":
        merge(self.stats, other.stats)
        self.columns += other.columns
        return self


def are_keys_rare(keys: int, rows: int) -> bool:
    """Whether most rows have a key of their own."""
    return 2 * keys > rows
