"""The days of a time zone: which one a row belongs to."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from lambda_app.core.copy_text import MINUTE_LENGTH

_REMEMBERED_MINUTES = 100_000


class Days:
    """Finds the days of COPY lines, which start with their time in UTC.

    By the minute: since 2000 every zone is whole minutes away from UTC.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[str, date] = {}

    def of(self, minutes: Collection[str]) -> set[date]:
        """The days of minutes in UTC, each like 2026-01-31T23:59."""
        return set(self._learn(minutes).values())

    def by_minute(self, minutes: Collection[str]) -> dict[str, date]:
        """The day of each of these minutes."""
        return self._learn(minutes)

    def split(self, lines: Sequence[str], minutes: Collection[str]) -> dict[date, Sequence[str]]:
        """The lines of each day, in their order; `minutes` are all that they are of.

        >>> Days(ZoneInfo("Asia/Tokyo")).split(["2026-01-31T14:59:59Z"], ["2026-01-31T14:59"])
        {datetime.date(2026, 1, 31): ['2026-01-31T14:59:59Z']}
        """
        known = self._learn(minutes)
        if len(set(known.values())) <= 1:
            return dict.fromkeys(known.values(), lines)
        days: dict[date, list[str]] = {}
        for line in lines:
            days.setdefault(known[line[:MINUTE_LENGTH]], []).append(line)
        return dict(days)

    def _learn(self, minutes: Collection[str]) -> dict[str, date]:
        known = self._known
        if len(known) > _REMEMBERED_MINUTES:
            known.clear()
        for minute in minutes:
            if minute not in known:
                moment = datetime.fromisoformat(minute).replace(tzinfo=UTC)
                known[minute] = moment.astimezone(self._zone).date()
        return {minute: known[minute] for minute in minutes}
