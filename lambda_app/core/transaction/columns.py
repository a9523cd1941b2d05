"""Columns of many rows at once, as text in COPY's format. Each function raises InvalidMessage when a value may be bad.

Numbers and times are checked by one regular expression for all. Whoever calls then halves the rows until the few that
are to blame are judged one by one.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import cast

from lambda_app.core.transaction.amounts import parse_amount, parse_risk_score, rounded
from lambda_app.core.transaction.copy_text import MINUTE_LENGTH, NULL, escape
from lambda_app.core.transaction.message import MAX_LENGTHS
from lambda_app.core.transaction.times import (
    EARLIEST,
    EPOCH,
    LATEST_AHEAD,
    MILLISECOND,
    latest_milliseconds,
    parse_milliseconds,
    parse_time,
)
from lambda_app.errors import InvalidMessage

# Amounts that need no exact parser. A line can match in one way only, so that a bad one fails fast.
AMOUNT = r"-?(?:0|[1-9]\d{0,9})(?:\.(?:\d\d?|\d\d0+))?"
_AMOUNT = re.compile(AMOUNT, re.ASCII)
_AMOUNTS = re.compile(rf"(?:{AMOUNT}\n)*", re.ASCII)
_RISK_SCORES = re.compile(r"(?:(?:(?:\d|[1-9]\d)(?:\.\d\d?)?|\\N)\n)*", re.ASCII)
# Longer scores, which are rounded. 99.995 and above would round to 100.00, so scores above 99 with more than two
# decimals do not match and take the exact parser.
_LONG_RISK_SCORES = re.compile(r"(?:(?:(?:\d|[1-8]\d|9[0-8])(?:\.\d{1,20})?|99(?:\.\d\d?)?|\\N)\n)*", re.ASCII)
_CLOCK = r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_TIMES = re.compile(rf"(?:{_CLOCK}(?:Z|\+00:00)\n)*", re.ASCII)
_DIGITS_TO_0 = bytes.maketrans(b"123456789", b"000000000")
_TIMES_WITHOUT_ZONE = re.compile(rf"(?:{_CLOCK}\n)*", re.ASCII)
# Characters that times may be written with, and the ones that we write.
_LETTERS = str.maketrans({"t": "T", " ": "T", "z": "Z", ",": "."})
_EARLIEST_MILLISECONDS = (EARLIEST - EPOCH) // MILLISECOND
_BEYOND_MICROSECOND = re.compile(r"(\.\d{6})\d+")
# Characters with a meaning in COPY's text, and NUL, which PostgreSQL does not take.
_SPECIAL_CHARACTERS = "\\\b\t\n\v\f\r\0"
SPECIAL = re.compile(f"[{re.escape(_SPECIAL_CHARACTERS)}]")


def text_column(name: str, texts: Sequence[str], is_required: bool) -> Sequence[str]:
    """A column of texts; an empty one is absent."""
    text = "".join(texts)
    if max(map(len, texts)) > MAX_LENGTHS[name]:
        raise InvalidMessage(f"a text of {name} is too long")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidMessage(f"a text of {name} holds a lone surrogate") from error
    # Seven searches are quicker than one regular expression.
    if any(character in text for character in _SPECIAL_CHARACTERS):
        if "\0" in text:
            raise InvalidMessage(f"a text of {name} holds a NUL character")
        texts = [escape(each) for each in texts]
    if "" in texts:
        if is_required:
            raise InvalidMessage(f"{name} is missing")
        return [each or NULL for each in texts]
    return texts


def time_columns(times: Sequence[str | int | Decimal], now: datetime) -> tuple[Sequence[str], Sequence[str]]:
    """The times, given as text or as milliseconds since 1970, and their minutes."""
    try:
        texts = cast("Sequence[str]", times)
        text = _lines(texts)
    except TypeError:
        texts = _spell(times, now)
        text = _lines(texts)
    minutes = [time[:MINUTE_LENGTH] for time in texts]
    zone = _missing_zone(_sample(text, texts, minutes))
    if zone is None:
        text = _BEYOND_MICROSECOND.sub(r"\1", text.translate(_LETTERS))
        zone = _missing_zone(text)
        if zone is None:
            texts = [parse_time("event_time", time, now).isoformat() for time in times]
            return texts, [time[:MINUTE_LENGTH] for time in texts]
        texts = text.split("\n")[:-1]
        minutes = [time[:MINUTE_LENGTH] for time in texts]
    if zone:
        texts = [time + zone for time in texts]
    # Every day must exist. Rows in the minute that is one day ahead fail here, and are then judged to the microsecond.
    distinct = set(minutes)
    days = {minute[:10] for minute in distinct}
    if (
        not _are_days(days)
        or min(days) < f"{EARLIEST:%Y-%m-%d}"
        or max(distinct) >= f"{now + LATEST_AHEAD:%Y-%m-%dT%H:%M}"
    ):
        raise InvalidMessage("a time is out of range")
    return texts, minutes


def _spell(times: Sequence[str | int | Decimal], now: datetime) -> Sequence[str]:
    """Times of which some are numbers, all as text."""
    latest = latest_milliseconds(now)
    whole = [
        time
        if type(time) is str or (type(time) is int and _EARLIEST_MILLISECONDS <= time <= latest)
        else parse_milliseconds("event_time", time, now)
        for time in times
    ]
    minutes = {time // 60_000 for time in whole if type(time) is int}
    spelled = {minute: f"{EPOCH + minute * 60_000 * MILLISECOND:%Y-%m-%dT%H:%M}" for minute in minutes}
    return [
        f"{spelled[time // 60_000]}:{time % 60_000 // 1000:02}.{time % 1000:03}Z" if type(time) is int else str(time)
        for time in whole
    ]


def _missing_zone(lines: str) -> str | None:
    """What each time lacks at its end; None when some are not written as we write times."""
    if _TIMES.fullmatch(lines):
        return ""
    return "Z" if _TIMES_WITHOUT_ZONE.fullmatch(lines) else None


def _sample(text: str, times: Sequence[str], minutes: Sequence[str]) -> str:
    """Lines that match _TIMES if and only if the text of all does: a time a minute, when all are written alike."""
    width = text.index("\n") + 1
    # The sample has one time a minute, so digits that differ within a minute are checked here: offsets, then seconds.
    is_one_zone = "+" not in text[:width] or text.count("+00:00\n") == len(times)
    shape = text.encode(errors="replace").translate(_DIGITS_TO_0)
    if is_one_zone and shape == shape[:width] * len(times) and set(text[MINUTE_LENGTH + 1 :: width]) <= set("012345"):
        return _lines(dict(zip(minutes, times, strict=True)).values())
    return text


def amount_column(amounts: Sequence[str], parse: Callable[[str], object]) -> Sequence[str]:
    """A column of amounts; `parse` gives the number of one that is spelled in an unusual way."""
    if _AMOUNTS.fullmatch(_lines(amounts)):
        return amounts
    return [amount if _AMOUNT.fullmatch(amount) else str(parse_amount(parse(amount))) for amount in amounts]


def risk_score_column(risk_scores: Sequence[str], parse: Callable[[str], object]) -> Sequence[str]:
    """A column of risk scores, rounded; those that are NULL are absent."""
    text = _lines(risk_scores)
    if _RISK_SCORES.fullmatch(text):
        return risk_scores
    if _LONG_RISK_SCORES.fullmatch(text):
        return [NULL if score == NULL else str(rounded(Decimal(score))) for score in risk_scores]
    return [NULL if score == NULL else str(parse_risk_score(parse(score))) for score in risk_scores]


def _lines(texts: Collection[str]) -> str:
    text = "\n".join(texts) + "\n"
    if text.count("\n") != len(texts):
        raise InvalidMessage("a number or a time holds a line break")
    return text


def _are_days(days: Iterable[str]) -> bool:
    try:
        for day in days:
            datetime.fromisoformat(day)
    except ValueError:
        return False
    return True
