"""Which dates are due, where days begin and end, and what becomes of a failed attempt."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.batch.schedule import MAX_ATTEMPTS, JobStatus, due_dates, status_after_failure
from lambda_app.core.transaction.days import day_bounds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How many hours the days of five years have.
LENGTHS = {
    "UTC": {24},
    "America/New_York": {23, 24, 25},
    "Africa/Cairo": {23, 24, 25},
    "Asia/Beirut": {23, 24, 25},
    "America/Santiago": {23, 24, 25},
    "Pacific/Apia": {0, 23, 24, 25},
}
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
STARTED = datetime(2026, 11, 24, tzinfo=UTC)


def five_years(zone: str) -> list[date]:
    """From 2024 on; in Samoa from 2009 on, with the day that was skipped."""
    first = date(2009 if zone == "Pacific/Apia" else 2024, 1, 1)
    return [first + number * DAY for number in range(5 * 365 + 1)]


def test_fresh_install_is_due_yesterday_alone():
    assert due_dates(None, today=date(2026, 11, 24)) == [date(2026, 11, 23)]


def test_five_nights_off_are_five_dates_oldest_first():
    dates = due_dates(date(2026, 2, 25), today=date(2026, 3, 3))

    assert dates == [date(2026, 2, 26), date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]


@pytest.mark.parametrize("last", [date(2026, 11, 23), date(2026, 11, 24), date(2999, 1, 1)])
def test_nothing_is_due_twice_nor_when_the_clock_was_set_back(last):
    assert due_dates(last, today=date(2026, 11, 24)) == []


@given(start=DAYS, nights_between_runs=st.lists(st.integers(0, 6), min_size=1, max_size=50))
def test_every_closed_day_is_due_exactly_once(start, nights_between_runs):
    planned, today = due_dates(None, start), start

    for nights in nights_between_runs:
        today += timedelta(days=nights)
        planned += due_dates(planned[-1], today)

    expected = [start - timedelta(days=1) + timedelta(days=number) for number in range((today - start).days + 1)]
    assert planned == expected


@pytest.mark.parametrize(("zone", "lengths"), LENGTHS.items())
def test_days_of_five_years_join_without_gap_or_overlap(zone, lengths):
    bounds = [day_bounds(day, ZoneInfo(zone)) for day in five_years(zone)]

    assert all(one[1] == next_one[0] for one, next_one in pairwise(bounds))
    assert {(end - start) / HOUR for start, end in bounds} == lengths


@cache
def timer_fires(zone: str) -> list[datetime]:
    """The moments at which a clock in the zone shows 00:00 or 01:00: once, twice or never a night."""
    start, end = (day_bounds(day, ZoneInfo(zone))[0] for day in (five_years(zone)[0], five_years(zone)[-1]))
    moments = [start + number * HOUR for number in range((end - start) // HOUR)]
    return [moment for moment in moments if moment.astimezone(ZoneInfo(zone)).hour in (0, 1)]


# The host is off from so many hours after the start, for so many hours.
outages = st.lists(st.tuples(st.integers(0, 5 * 366 * 24), st.integers(1, 1000)), max_size=30)
calls_by_hand = st.lists(st.integers(0, 5 * 365 * 24 * 60), max_size=30)


@settings(max_examples=20)
@given(outages=outages, calls_by_hand=calls_by_hand)
@pytest.mark.parametrize("zone", LENGTHS)
def test_each_date_of_five_years_is_planned_once_and_in_order_when_it_is_over(zone, outages, calls_by_hand):
    fires = timer_fires(zone)
    off = [(fires[0] + start * HOUR, fires[0] + (start + length) * HOUR) for start, length in outages]
    is_on = [not any(start <= moment < end for start, end in off) for moment in fires]
    # Persistent=true: what was missed is made up for when the host is on again.
    moments = {moment for moment, on in zip(fires, is_on, strict=True) if on} | {end for _, end in off}
    moments |= {fires[0] + timedelta(minutes=minutes) for minutes in calls_by_hand}
    planned: list[date] = []

    for moment in sorted(moments):
        today = moment.astimezone(ZoneInfo(zone)).date()
        due = due_dates(planned[-1] if planned else None, today)
        planned += due
        assert planned[-1] == today - DAY
        assert all(day_bounds(day, ZoneInfo(zone))[1] <= moment for day in due)

    # Also a date that never was, on which nothing happened.
    assert planned == [planned[0] + number * DAY for number in range((planned[-1] - planned[0]).days + 1)]


@pytest.mark.parametrize(
    ("attempts", "minutes", "status"),
    [
        (1, 1, JobStatus.PENDING),
        (MAX_ATTEMPTS - 1, 119, JobStatus.PENDING),
        (MAX_ATTEMPTS, 11, JobStatus.FAILED),
        (1, 120, JobStatus.FAILED),
    ],
)
def test_job_fails_after_three_attempts_or_two_hours(attempts, minutes, status):
    now = STARTED + timedelta(minutes=minutes)

    assert status_after_failure(attempts, STARTED, now) is status
