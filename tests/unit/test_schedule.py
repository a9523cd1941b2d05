"""Which dates are due, where days begin and end, and what becomes of a failed attempt."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.schedule import MAX_ATTEMPTS, JobStatus, day_bounds, due_dates, status_after_failure

ZONES = ["UTC", "America/New_York", "Africa/Cairo", "Asia/Beirut", "America/Santiago", "Pacific/Apia"]
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
STARTED = datetime(2026, 11, 24, tzinfo=UTC)


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


@pytest.mark.parametrize("zone", ZONES)
def test_days_of_five_years_join_without_gap_or_overlap(zone):
    bounds = [day_bounds(date(2024, 1, 1) + timedelta(days=number), ZoneInfo(zone)) for number in range(5 * 366)]

    assert all(one[1] == next_one[0] for one, next_one in pairwise(bounds))
    assert {end - start for start, end in bounds} <= {timedelta(hours=hours) for hours in (23, 24, 25)}


@pytest.mark.parametrize(
    ("day", "zone", "start", "hours"),
    [
        (date(2026, 3, 8), "America/New_York", "2026-03-08T05:00", 23),
        (date(2026, 11, 1), "America/New_York", "2026-11-01T04:00", 25),
        # Midnight does not exist: the day begins at 01:00 on the clock.
        (date(2026, 4, 24), "Africa/Cairo", "2026-04-23T22:00", 23),
        # Midnight comes twice: the day begins at the first.
        (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00", 25),
        # A day that Samoa skipped when it crossed the date line.
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00", 0),
    ],
)
def test_day_bounds_follow_the_clocks_of_the_zone(day, zone, start, hours):
    first, last = day_bounds(day, ZoneInfo(zone))

    assert first == datetime.fromisoformat(f"{start}+00:00")
    assert last - first == timedelta(hours=hours)


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
