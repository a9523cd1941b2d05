"""Rows on their way: lines and their aggregates stay together."""

from lambda_app.core.transaction.rows import Rows
from lambda_app.core.transaction.stats import Stat


def line(number: int, minute: str = "2026-06-15T12:00", amount: str = "1.50") -> str:
    return f"{minute}:01Z\tT{number}\tA1\trefund\t{amount}\tgas\t\\N\tt\t0.90\t\\N\tSTREAM\n"


def test_rows_of_lines_have_their_aggregates() -> None:
    rows = Rows.of([line(1), line(2, amount="-0.25"), line(3)])

    assert len(rows) == 3
    assert rows.aggregates.work_out() == {
        ("2026-06-15T12:00", "gas", "refund"): Stat(3, 275, -25, 150, 270, 3),
    }


def test_rows_that_are_added_bring_their_aggregates() -> None:
    rows = Rows.of([line(1)])

    rows += Rows.of([line(2), line(3, minute="2026-06-15T12:01")])

    assert rows.lines == [line(1), line(2), line(3, minute="2026-06-15T12:01")]
    assert rows.aggregates.work_out() == Rows.of(rows.lines).aggregates.work_out()
    assert rows.minutes() == {"2026-06-15T12:00", "2026-06-15T12:01"}


def test_rows_are_a_copy_of_the_lines_they_are_made_of() -> None:
    lines = [line(1)]
    rows = Rows.of(lines)

    rows += Rows.of([line(2)])

    assert lines == [line(1)]


def test_no_rows_have_no_minutes() -> None:
    assert (len(Rows()), Rows().minutes(), Rows.of([]).aggregates.work_out()) == (0, set(), {})
