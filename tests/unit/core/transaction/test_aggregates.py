"""Aggregates by columns of numbers equal those of exact decimals, row by row."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.transaction.aggregates import Aggregates
from lambda_app.core.transaction.stats import Stats, merge

amounts = st.decimals("-9999999999.99", "9999999999.99", places=2) | st.decimals("-10", "10", places=2)
scores = st.none() | st.decimals("0", "99.99", places=2) | st.sampled_from([Decimal("0.79"), Decimal("0.80")])
rows = st.tuples(
    st.sampled_from(["2026-06-15T11:59", "2026-06-15T12:00"]), st.sampled_from(["gas", "\\N"]), amounts, scores
)


def line(minute: str, category: str, amount: Decimal, score: Decimal | None) -> str:
    risk_score = "\\N" if score is None else score
    return f"{minute}:01Z\tT1\tA1\trefund\t{amount}\t{category}\t\\N\tt\t{risk_score}\t\\N\tSTREAM\n"


def one_by_one(of: list[tuple[str, str, Decimal, Decimal | None]]) -> Stats:
    groups = defaultdict(list)
    for minute, category, amount, score in of:
        groups[minute, category, "refund"].append((int(amount * 100), None if score is None else int(score * 100)))
    return {
        key: (  # type: ignore[misc]
            len(group),
            sum(amount for amount, _ in group),
            min(amount for amount, _ in group),
            max(amount for amount, _ in group),
            sum(score or 0 for _, score in group),
            sum(score is not None and score >= 80 for _, score in group),
        )
        for key, group in groups.items()
    }


@settings(max_examples=300)
@given(st.lists(rows, max_size=40), st.integers(0, 40))
def test_aggregates_are_exact_and_add_up(of: list[tuple[str, str, Decimal, Decimal | None]], cut: int) -> None:
    lines = [line(*row) for row in of]

    stats = Aggregates.of_lines(lines[:cut]).work_out()
    merge(stats, Aggregates.of_lines(lines[cut:]).work_out())

    assert stats == one_by_one(of)


def test_sum_of_many_large_amounts_is_exact() -> None:
    of = [("2026-06-15T12:00", "gas", Decimal("9999999999.99") - n * Decimal("0.01"), None) for n in range(20_000)]

    assert Aggregates.of_lines(line(*row) for row in of).work_out() == one_by_one(of)
