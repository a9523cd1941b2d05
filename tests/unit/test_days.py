"""Which day a row belongs to."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.days import Days

ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "America/Havana", "Pacific/Apia", "Pacific/Chatham"]


@given(st.sampled_from(ZONES), st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2027, 1, 1))))  # noqa: DTZ001
def test_lines_are_split_by_the_days_of_the_zone(name: str, times: list[datetime]) -> None:
    zone = ZoneInfo(name)
    lines = [f"{time.isoformat()}Z\trest" for time in times]

    split = Days(zone).split(lines, {line[:16] for line in lines})

    expected: dict[date, list[str]] = {}
    for time, line in zip(times, lines, strict=True):
        expected.setdefault(time.replace(tzinfo=UTC).astimezone(zone).date(), []).append(line)
    assert {day: list(of_day) for day, of_day in split.items()} == expected


def test_lines_of_one_day_are_not_copied() -> None:
    lines = ["2026-06-15T00:00:00Z\ta", "2026-06-15T23:59:59Z\tb"]

    assert Days(ZoneInfo("UTC")).split(lines, {"2026-06-15T00:00", "2026-06-15T23:59"})[date(2026, 6, 15)] is lines
