"""The aggregates of rows: a minute, a merchant category and a transaction type make a key. Pure, and exact.

Sums are in hundredths, the last digit of every amount and risk score, so that they are whole numbers.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import fsum
from typing import NamedTuple

from lambda_app.core.copy_text import MINUTE_LENGTH, NULL

# Minute in UTC (2026-01-31T23:59), merchant category and transaction type, all as they stand in COPY's text.
Key = tuple[str, str, str]
HIGH_RISK = 0.8
# A double is wrong by 2**-53 of its value at most: below this sum of magnitudes by less than half of 0.01.
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


def aggregate(keys: Iterable[Key], amounts: Iterable[float], risk_scores: Iterable[float | None]) -> Stats:
    """The aggregates of rows given by columns; amounts and risk scores have two decimals at most.

    >>> aggregate([("2026-01-31T23:59", "gas", "refund")] * 2, [0.1, 0.2], [None, 0.8])
    {('2026-01-31T23:59', 'gas', 'refund'): Stat(rows=2, amount_sum=30, amount_min=10, amount_max=20, \
risk_sum=80, high_risk_count=1)}
    """
    groups: defaultdict[Key, list[tuple[float, float | None]]] = defaultdict(list)
    for key, row in zip(keys, zip(amounts, risk_scores, strict=True), strict=True):
        groups[key].append(row)
    return {key: _combine(group) for key, group in groups.items()}


def aggregate_lines(lines: Iterable[str]) -> Stats:
    """The aggregates of COPY lines."""
    keys, amounts, risk_scores = [], [], []
    for line in lines:
        time, _, _, transaction_type, amount, category, _, _, risk_score, _ = line.split("\t", 9)
        keys.append((time[:MINUTE_LENGTH], category, transaction_type))
        amounts.append(float(amount))
        risk_scores.append(None if risk_score == NULL else float(risk_score))
    return aggregate(keys, amounts, risk_scores)


def merge(stats: Stats, more: Stats) -> None:
    """Adds `more` to `stats`."""
    for key, new in more.items():
        old = stats.get(key)
        stats[key] = new if old is None else _add(old, new)


def _combine(group: Sequence[tuple[float, float | None]]) -> Stat:
    amounts, maybe_scores = zip(*group, strict=True)
    scores = [score for score in maybe_scores if score is not None]
    low, high = min(amounts), max(amounts)
    if max(-low, high) * len(amounts) < _EXACT_BELOW:
        amount_sum = round(fsum(amounts) * 100)
    else:
        amount_sum = sum([round(amount * 100) for amount in amounts])
    return Stat(
        rows=len(amounts),
        amount_sum=amount_sum,
        amount_min=round(low * 100),
        amount_max=round(high * 100),
        risk_sum=round(fsum(scores) * 100),
        high_risk_count=sum([score >= HIGH_RISK for score in scores]),
    )


def _add(old: Stat, new: Stat) -> Stat:
    return Stat(
        old.rows + new.rows,
        old.amount_sum + new.amount_sum,
        min(old.amount_min, new.amount_min),
        max(old.amount_max, new.amount_max),
        old.risk_sum + new.risk_sum,
        old.high_risk_count + new.high_risk_count,
    )
