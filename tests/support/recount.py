"""A second, independent implementation of the aggregates: plain Python over the rows, no SQL that aggregates."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.support.fixtures import Database

Recount = dict[tuple[Any, ...], tuple[Any, ...]]


def recount(database: Database, where: str = "true") -> Recount:
    """Each (minute, category, type) of `transactions`: count, sum, least, largest, risk sum, high risks."""
    return recount_rows(
        database.query(
            "SELECT event_time, merchant_category, transaction_type, amount, risk_score"
            f" FROM lambda.transactions WHERE {where}"
        )
    )


def recount_rows(rows: Iterable[tuple[object, ...]]) -> Recount:
    """The same, of rows in hand."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for time, category, transaction_type, amount, score in rows:
        assert isinstance(time, datetime)
        key = (time.astimezone(UTC).replace(second=0, microsecond=0), category, transaction_type)
        one = found.setdefault(key, [0, Decimal(0), amount, amount, Decimal(0), 0])
        one[0] += 1
        one[1] += amount
        one[2], one[3] = min(one[2], amount), max(one[3], amount)
        one[4] += score or 0
        one[5] += score is not None and score >= Decimal("0.8")
    return {key: tuple(one) for key, one in found.items()}


def served(database: Database, relation: str = "transaction_stats", where: str = "true") -> Recount:
    """What the serving view says, or one of its layers."""
    rows = database.query(
        "SELECT minute, merchant_category, transaction_type,"
        " count, amount_sum, amount_min, amount_max, risk_sum, high_risk_count"
        f" FROM lambda.{relation} WHERE {where}"
    )
    found = {(row[0].astimezone(UTC), *row[1:3]): tuple(row[3:]) for row in rows}  # type: ignore[attr-defined]
    assert len(found) == len(rows)
    return found
