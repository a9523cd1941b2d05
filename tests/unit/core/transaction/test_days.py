"""Which day a minute belongs to."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.transaction.days import Days

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
