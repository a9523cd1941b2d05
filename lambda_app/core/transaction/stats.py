"""The aggregates of rows: a minute, a merchant category and a transaction type make a key. Pure, and exact.

Sums are in hundredths, the last digit of every amount and risk score, so that they are whole numbers.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Minute in UTC (2026-01-31T23:59), merchant category and transaction type, each as in COPY's text.
Key = tuple[str, str, str]
HIGH_RISK = 0.8
# Each addition of doubles is off by at most 2**-53 of the sum. While the largest magnitude times the square of the
# count is below this bound, all additions together are off by less than half of a hundredth.
_EXACT_BELOW = 1e13


class Stat(NamedTuple):
    """The aggregates of one key; amounts and risks in hundredths."""

    rows: int
    amount_sum: int
    amount_min: int
    amount_max: int
    risk_sum: int
    high_risk_count: int


Stats = dict[Key, Stat]


def aggregate(keys: Sequence[Key], amounts: Sequence[float], risk_scores: Sequence[float | None]) -> Stats:
    """The aggregates of rows given by columns; amounts and risk scores have two decimals at most.

    >>> aggregate([("2026-01-31T23:59", "gas", "refund")] * 2, [0.1, 0.2], [None, 0.8])
    {('2026-01-31T23:59', 'gas', 'refund'): Stat(rows=2, amount_sum=30, amount_min=10, amount_max=20, \
risk_sum=80, high_risk_count=1)}
    """
    groups = _gather(keys, amounts, risk_scores)
    if all(max(-low, high) * count * count < _EXACT_BELOW for count, _, low, high, _, _ in groups.values()):
        return {key: _in_hundredths(*group) for key, group in groups.items()}
    groups = _gather(keys, [round(amount * 100) for amount in amounts], risk_scores)
    return {
        key: Stat(int(count), int(total), int(low), int(high), round(risk * 100), int(high_risks))
        for key, (count, total, low, high, risk, high_risks) in groups.items()
    }


def merge(stats: Stats, more: Stats) -> None:
    """Adds `more` to `stats`."""
    for key, new in more.items():
        old = stats.get(key)
        stats[key] = new if old is None else _add(old, new)


def _gather(
    keys: Iterable[Key], amounts: Iterable[float], risk_scores: Iterable[float | None]
) -> dict[Key, list[float]]:
    """By key: count, sum, least and largest amount, sum of risk scores, count of high ones."""
    groups: dict[Key, list[float]] = {}
    for key, amount, risk_score in zip(keys, amounts, risk_scores, strict=True):
        group = groups.get(key)
        if group is None:
            groups[key] = group = [0, 0, amount, amount, 0, 0]
        group[0] += 1
        group[1] += amount
        if amount < group[2]:
            group[2] = amount
        elif amount > group[3]:
            group[3] = amount
        if risk_score:
            group[4] += risk_score
            if risk_score >= HIGH_RISK:
                group[5] += 1
    return groups


def _in_hundredths(count: float, total: float, low: float, high: float, risk: float, high_risks: float) -> Stat:
    return Stat(int(count), round(total * 100), round(low * 100), round(high * 100), round(risk * 100), int(high_risks))


def _add(old: Stat, new: Stat) -> Stat:
    return Stat(
        old.rows + new.rows,
        old.amount_sum + new.amount_sum,
        min(old.amount_min, new.amount_min),
        max(old.amount_max, new.amount_max),
        old.risk_sum + new.risk_sum,
        old.high_risk_count + new.high_risk_count,
    )
