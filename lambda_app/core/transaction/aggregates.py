"""The aggregates of rows on their way into PostgreSQL, worked out at once only where rows share keys.

Rows in the order of their times share a few hundred keys among thousands. Where nearly each row has a key of its own,
aggregates save nothing, and who stores the rows may have a quicker way: it gets the columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lambda_app.core.transaction.copy_text import MINUTE_LENGTH, NULL
from lambda_app.core.transaction.stats import Key, Stats, aggregate, merge


class Columns(NamedTuple):
    """What the aggregates of rows are made from, as it stands in COPY's text; minutes in UTC: 2026-01-31T23:59."""

    minutes: Sequence[str]
    categories: Sequence[str]
    types: Sequence[str]
    amounts: Sequence[str]
    risk_scores: Sequence[str]

    def keys(self) -> Sequence[Key]:
        """The key of each row."""
        return list(zip(self.minutes, self.categories, self.types, strict=True))

    def aggregate(self) -> Stats:
        """The aggregates of all rows."""
        return aggregate(self.keys(), list(map(float, self.amounts)), _floats(self.risk_scores))


@dataclass
class Aggregates:
    """The aggregates of rows: some worked out, the others still as columns."""

    stats: Stats = field(default_factory=dict)
    columns: list[Columns] = field(default_factory=list)

    @staticmethod
    def of(columns: Columns) -> "Aggregates":
        """The aggregates of rows given by their columns."""
        rows = len(columns.minutes)
        # Minutes are quicker to count than keys, and there are at least as many keys.
        if are_keys_rare(len(set(columns.minutes)), rows) or are_keys_rare(len(set(columns.keys())), rows):
            return Aggregates({}, [columns])
        return Aggregates(columns.aggregate())

    @staticmethod
    def of_lines(lines: Iterable[str]) -> "Aggregates":
        """The aggregates of rows given as COPY lines."""
        rows = []
        for line in lines:
            time, _, _, transaction_type, amount, category, _, _, risk_score, _ = line.split("\t", 9)
            rows.append((time[:MINUTE_LENGTH], category, transaction_type, amount, risk_score))
        return Aggregates.of(Columns(*zip(*rows, strict=True))) if rows else Aggregates()

    def minutes(self) -> set[str]:
        """The minutes of the rows, in UTC."""
        return {minute for minute, _, _ in self.stats}.union(*[columns.minutes for columns in self.columns])

    def work_out(self) -> Stats:
        """The aggregates of all rows, also of those that are still columns."""
        stats = dict(self.stats)
        for columns in self.columns:
            merge(stats, columns.aggregate())
        return stats

    def __iadd__(self, other: "Aggregates") -> "Aggregates":
        merge(self.stats, other.stats)
        self.columns += other.columns
        return self


def are_keys_rare(keys: int, rows: int) -> bool:
    """Whether most rows have a key of their own."""
    return 2 * keys > rows


def _floats(risk_scores: Sequence[str]) -> Sequence[float | None]:
    try:
        return list(map(float, risk_scores))
    except ValueError:
        return [None if score == NULL else float(score) for score in risk_scores]
