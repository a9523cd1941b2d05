"""The days of a time zone: which one a row belongs to."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

# Length of the hour at the start of a minute, in UTC: 2026-01-31T23.
_HOUR_LENGTH = 13
_REMEMBERED_HOURS = 100_000


class Days:
    """Finds the days of minutes in UTC, each like 2026-01-31T23:59.

    Since 2000 every zone is whole minutes away from UTC.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._of_hour = lru_cache(_REMEMBERED_HOURS)(self._find_of_hour)

    def of(self, minutes: Collection[str]) -> set[date]:
        """The days of these minutes.

        >>> Days(ZoneInfo("Asia/Tokyo")).of(["2026-01-31T14:59"])
        {datetime.date(2026, 1, 31)}
        """
        days = {self._of_hour(hour) for hour in {minute[:_HOUR_LENGTH] for minute in minutes}}
        return {day for day in days if day} if None not in days else set(self.by_minute(minutes).values())

    def by_minute(self, minutes: Collection[str]) -> dict[str, date]:
        """The day of each of these minutes."""
        hours = {hour: self._of_hour(hour) for hour in {minute[:_HOUR_LENGTH] for minute in minutes}}
        return {minute: hours[minute[:_HOUR_LENGTH]] or self._of_minute(minute) for minute in minutes}

    def _find_of_hour(self, hour: str) -> date | None:
        """The day of a whole hour; None when a day ends in it."""
        first, last = self._of_minute(hour + ":00"), self._of_minute(hour + ":59")
        return first if first == last else None

    def _of_minute(self, minute: str) -> date:
        return datetime.fromisoformat(minute).replace(tzinfo=UTC).astimezone(self._zone).date()


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moment of the day and of the next one, in UTC: 23, 24 or 25 hours apart, or 0 for a skipped day.

    Where midnight does not exist the day begins at the moment the clock jumps; where it comes twice, at the first.
    """
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
