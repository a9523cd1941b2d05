"""Columns of many rows: what a valid one becomes, and that a bad value among good ones is noticed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.transaction.amounts import parse_amount, parse_risk_score
from lambda_app.core.transaction.columns import amount_column, risk_score_column, text_column, time_columns
from lambda_app.core.transaction.times import parse_time
from lambda_app.errors import InvalidMessage

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def test_texts_stand_as_they_are() -> None:
    texts = ["A1", "Zürich", "x" * 128]

    assert text_column("account_id", texts, is_required=True) is texts


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a\tb", "a\\tb"), ("a\\b", "a\\\\b"), ("two\nlines", "two\\nlines"), ("\\N", "\\\\N"), ("a\rb", "a\\rb")],
)
def test_text_with_a_meaning_in_copy_is_escaped_among_others(text: str, escaped: str) -> None:
    assert text_column("location", ["Austin", text], is_required=False) == ["Austin", escaped]


def test_empty_text_is_absent_or_missing() -> None:
    assert text_column("location", ["Austin", ""], is_required=False) == ["Austin", "\\N"]
    with pytest.raises(InvalidMessage, match="account_id is missing"):
        text_column("account_id", ["A1", ""], is_required=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x" * 129, "too long"), ("a\0b", "NUL"), ("\ud800", "lone surrogate"), ("a\udcff", "lone surrogate")],
)
def test_text_that_cannot_be_stored_is_noticed_among_others(text: str, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=reason):
        text_column("account_id", ["A1", text, "A2"], is_required=True)


@pytest.mark.parametrize(
    ("times", "written"),
    [
        (["2026-06-15T11:59:58Z"], ["2026-06-15T11:59:58Z"]),
        (["2026-06-15T11:59:58.5+00:00"], ["2026-06-15T11:59:58.5+00:00"]),
        (["2026-06-15T11:59"], ["2026-06-15T11:59Z"]),
        (["2026-06-15 11:59:58", "2026-06-15t11:59:58.123"], ["2026-06-15T11:59:58Z", "2026-06-15T11:59:58.123Z"]),
        (["2026-06-15T11:59:58,25z"], ["2026-06-15T11:59:58.25Z"]),
        # Digits beyond the microsecond are cut.
        (["2026-06-15T11:59:58.123456789Z"], ["2026-06-15T11:59:58.123456Z"]),
        # Times of several zones are worked out one by one.
        (
            ["2026-06-15T11:59:58+02:00", "2026-06-15T11:59:58Z"],
            ["2026-06-15T09:59:58+00:00", "2026-06-15T11:59:58+00:00"],
        ),
        ([1_781_524_798_000], ["2026-06-15T11:59:58.000Z"]),
        ([Decimal(1_781_524_798_001), "2026-06-15T11:59:58Z"], ["2026-06-15T11:59:58.001Z", "2026-06-15T11:59:58Z"]),
        ([946_684_800_000], ["2000-01-01T00:00:00.000Z"]),
    ],
)
def test_times_are_written_in_utc_with_their_minutes(times: Sequence[str | int | Decimal], written: list[str]) -> None:
    texts, minutes = time_columns(times, NOW)

    assert list(texts) == written
    assert list(minutes) == [text[:16] for text in written]


@pytest.mark.parametrize(
    "bad",
    [
        "2026-06-15T24:00:00Z",
        "2026-06-15T11:59:60Z",
        "2026-06-31T11:59:58Z",
        "1999-12-31T23:59:59Z",
        "2026-06-16T12:00:01Z",
        "2026-06-16T12:01:00Z",
        "2026-06-15T11:59:58",
        "2026-06-15T11:59:58\n",
        "2026-06-15",
        "never",
        "",
        946_684_799_999,
        int(NOW.timestamp() * 1000) + 24 * 3600 * 1000 + 1,
        True,
        Decimal("1781524798000.5"),
        None,
    ],
)
@pytest.mark.parametrize("place", [0, 3, 99])
def test_time_that_may_be_bad_is_noticed_or_worked_out(bad: object, place: int) -> None:
    times: list[object] = [f"2026-06-15T11:{number % 60:02}:58Z" for number in range(100)]
    times[place] = bad

    try:
        texts, _ = time_columns(times, NOW)  # type: ignore[arg-type]
    except InvalidMessage:
        return
    # One without a zone is fine, and a column of both is worked out one by one.
    assert [datetime.fromisoformat(text) for text in texts] == [parse_time("event_time", time, NOW) for time in times]


@given(
    st.lists(
        st.datetimes(datetime(2000, 1, 1), datetime(2026, 6, 16, 11, 59))  # noqa: DTZ001 - the zone is added below
        | st.integers(946_684_800_000, 1_781_524_800_000),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["", "Z", "+00:00", "-03:30"]),
)
def test_times_are_those_of_each_alone(moments: list[datetime | int], zone: str) -> None:
    limit = NOW + timedelta(hours=20)
    times = [each if isinstance(each, int) else f"{each.isoformat()}{zone}" for each in moments]
    expected = [parse_time("event_time", each, limit) for each in times]

    try:
        texts, minutes = time_columns(times, limit)
    except InvalidMessage:
        # The last minute that is valid is left to be judged one by one.
        assert max(expected) >= limit + timedelta(days=1) - timedelta(minutes=1)
        return

    assert [datetime.fromisoformat(text) for text in texts] == expected
    assert [datetime.fromisoformat(f"{minute}Z") for minute in minutes] == [
        each.replace(second=0, microsecond=0) for each in expected
    ]


def test_amounts_stand_as_they_are_spelled() -> None:
    amounts = ["0", "-12.3", "9999999999.99", "5.500"]

    assert amount_column(amounts, pytest.fail) is amounts


def test_amount_of_an_unusual_spelling_is_parsed_and_the_others_stand() -> None:
    assert amount_column(["1.5", "1E+2"], Decimal) == ["1.5", "100.00"]


@pytest.mark.parametrize("bad", ["1.234", "10000000000", "1\n2", "-0.001"])
def test_amount_that_cannot_be_stored_is_noticed_among_others(bad: str) -> None:
    def parse(text: str) -> Decimal:
        return Decimal(text.replace("\n", ""))

    with pytest.raises(InvalidMessage):
        amount_column(["1.00", bad], parse)


def test_risk_scores_stand_as_they_are_or_are_rounded() -> None:
    short = ["0.5", "99.99", "\\N"]

    assert risk_score_column(short, pytest.fail) is short
    assert risk_score_column(["0.125", "98.999", "\\N"], pytest.fail) == ["0.13", "99.00", "\\N"]


@pytest.mark.parametrize("bad", ["99.995", "100", "-1"])
def test_risk_score_out_of_range_is_noticed_among_others(bad: str) -> None:
    with pytest.raises(InvalidMessage, match="risk_score must be between 0 and"):
        risk_score_column(["0.5", bad], Decimal)


def test_risk_score_with_a_line_break_is_noticed_among_others() -> None:
    with pytest.raises(InvalidMessage, match="line break"):
        risk_score_column(["0.5", "1\n2"], pytest.fail)


@given(st.lists(st.decimals("-9999999999.99", "9999999999.99", places=2), min_size=1, max_size=20))
def test_amounts_are_those_of_each_alone(amounts: list[Decimal]) -> None:
    texts = amount_column([str(each) for each in amounts], Decimal)

    assert [Decimal(text) for text in texts] == [parse_amount(each) for each in amounts]


@given(st.lists(st.decimals("0", "99.99", places=4), min_size=1, max_size=20))
def test_risk_scores_are_those_of_each_alone(scores: list[Decimal]) -> None:
    texts = risk_score_column([str(each) for each in scores], Decimal)

    assert [Decimal(text) for text in texts] == [parse_risk_score(each) for each in scores]
