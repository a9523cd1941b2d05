"""When a transaction happened: which values are a time, and why others are not.

Text in ISO 8601 or RFC 3339, of which seconds, fraction and zone may be absent (no zone is UTC), or whole milliseconds
since 1970. Digits beyond the microsecond are cut.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lambda_app.core.transaction.shown import kind, show
from lambda_app.errors import InvalidMessage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)

_DATE = r"\d{4}-\d\d-\d\d"
_ZONE = r"(?:[Zz]|[+-]\d\d(?::?[0-5]\d)?)"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_TIME = re.compile(rf"{_DATE}[Tt ]{_CLOCK}{_ZONE}?", re.ASCII)
# Common mistakes of senders, and what to say about each.
_FAULTS = [
    (re.compile(pattern, re.ASCII), fault)
    for pattern, fault in (
        (r"[+-]?\d+(?:\.\d*)?", "is a number in text: send whole milliseconds since 1970 as a number, without quotes"),
        (rf"{_DATE}[Tt ]24:00(?::00(?:[.,]0+)?)?{_ZONE}?", "is at 24:00: send 00:00 of the next day"),
        (rf"{_DATE}[Tt ]\d\d:\d\d:60(?:[.,]\d+)?{_ZONE}?", "is in a leap second, second 60: send second 59"),
        (_DATE, "is a date without a time of day"),
        (r"\d{4}-?W\d\d.*", "is a week date: send year, month and day"),
        (r"\d{4}-?\d{3}(?:[Tt ].*)?", "is an ordinal date: send year, month and day"),
        (r"\d{8}[Tt ]?\d{4}.*", "lacks its separators: send it such as 2026-01-31T23:59:59Z"),
        (
            rf"{_DATE}[Tt ]{_CLOCK}{_ZONE}? ?(?:\[.*|(?![AaPp][Mm]\b)[A-Za-z]{{2}}.*)",
            "names its zone: send Z or an offset such as +01:00",
        ),
    )
]
_YEAR_2000_SECONDS = 946_684_800
_YEAR_2100_SECONDS = 4_102_444_800
# Units that senders mistake for milliseconds: how many a second has.
_UNITS = {1: "seconds", 10**6: "microseconds", 10**9: "nanoseconds"}


def parse_time(name: str, value: object, now: datetime) -> datetime:
    """The time in UTC of the field `name`, given as text, or as int or Decimal. Raises InvalidMessage."""
    if value is None:
        raise InvalidMessage("event_time is missing, and timestamp too")
    if not isinstance(value, str):
        return EPOCH + parse_milliseconds(name, value, now) * MILLISECOND
    if _TIME.fullmatch(value) is None:
        raise InvalidMessage(f"{name} {_fault(value)}: {show(value)}")
    try:
        time = datetime.fromisoformat(value.upper())
        if time.tzinfo is not UTC:
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidMessage(f"{name} {_fault(value, 'is no real time')}: {show(value)}") from error
    if time < EARLIEST:
        raise InvalidMessage(f"{name} is before 2000-01-01: {show(value)}")
    if time > now + LATEST_AHEAD:
        raise InvalidMessage(f"{name} is more than one day ahead: {show(value)}")
    return time


def parse_milliseconds(name: str, value: object, now: datetime) -> int:
    """The time of the field `name`, given as int or Decimal, in milliseconds since 1970. Raises InvalidMessage."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidMessage(
            f"{name} must be text in ISO 8601 or whole milliseconds since 1970, not {kind(value)}: {show(value)}"
        )
    if isinstance(value, Decimal) and not value.is_finite():
        raise InvalidMessage(f"{name} must be whole milliseconds since 1970, not {show(value)}")
    for per_second, unit in _UNITS.items():
        if _YEAR_2000_SECONDS * per_second <= value < _YEAR_2100_SECONDS * per_second:
            raise InvalidMessage(f"{name} looks like {unit} since 1970: send whole milliseconds: {show(value)}")
    # Checks the range first, so that the digits of 1e999999999 are never written out.
    if value < _YEAR_2000_SECONDS * 1000:
        raise InvalidMessage(f"{name} is before 2000-01-01: {show(value)}")
    if value > latest_milliseconds(now):
        raise InvalidMessage(f"{name} is more than one day ahead: {show(value)}")
    if value != int(value):
        raise InvalidMessage(f"{name} has a fraction of a millisecond: send whole milliseconds: {show(value)}")
    return int(value)


def latest_milliseconds(now: datetime) -> int:
    """The last valid time, in milliseconds since 1970."""
    return (now + LATEST_AHEAD - EPOCH) // MILLISECOND


def _fault(text: str, otherwise: str = "is no time in ISO 8601, such as 2026-01-31T23:59:59.5Z") -> str:
    return next((fault for pattern, fault in _FAULTS if pattern.fullmatch(text)), otherwise)
