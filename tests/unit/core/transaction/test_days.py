"""Which day a minute belongs to, and where a day begins and ends."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.transaction.days import Days, day_bounds

ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "America/Havana", "Pacific/Apia", "Pacific/Chatham"]
# In UTC: minutes around midnight, which comes twice in Havana, and to Kathmandu and Chatham at a quarter of an hour.
EDGES = [
    *("2025-11-02T03:59", "2025-11-02T04:00", "2025-11-02T04:59", "2025-11-02T05:00", "2011-12-30T09:59"),
    *("2011-12-30T10:00", "2026-06-15T18:14", "2026-06-15T18:15", "2026-06-15T11:14", "2026-06-15T11:15"),
]

minutes = st.datetimes(datetime(2000, 1, 1), datetime(2027, 1, 1)).map(lambda time: f"{time:%Y-%m-%dT%H:%M}")  # noqa: DTZ001


@pytest.mark.parametrize("name", ZONES)
@given(found=st.lists(minutes | st.sampled_from(EDGES)))
def test_minutes_belong_to_the_days_of_the_zone(name: str, found: list[str]) -> None:
    zone = ZoneInfo(name)
    expected = {minute: datetime.fromisoformat(minute).replace(tzinfo=UTC).astimezone(zone).date() for minute in found}

    days = Days(zone)

    assert days.by_minute(found) == expected
    assert days.of(found) == set(expected.values())


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
