"""Columns of many rows at once, as text in COPY's format. Each function raises InvalidMessage when a value may be bad.

Numbers and times are checked by one regular expression for all. Whoever calls then halves the rows until the few that
are to blame are judged one by one.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from lambda_app.core.copy_text import MINUTE_LENGTH, NULL, escape
from lambda_app.core.message import (
    EARLIEST,
    LATEST_AHEAD,
    MAX_LENGTHS,
    parse_amount,
    parse_risk_score,
    parse_time,
    rounded,
)
from lambda_app.core.stats import Stats, aggregate
from lambda_app.errors import InvalidMessage

_AMOUNTS = re.compile(r"(?:-?(?:0|[1-9]\d{0,9})(?:\.\d\d?)?\n)*", re.ASCII)
_RISK_SCORES = re.compile(r"(?:(?:(?:\d|[1-9]\d)(?:\.\d\d?)?|\\N)\n)*", re.ASCII)
# What rounding could make 100.00 of is judged one by one.
_LONG_RISK_SCORES = re.compile(r"(?:(?:(?:\d|[1-8]\d|9[0-8])(?:\.\d{1,20})?|99(?:\.\d\d?)?|\\N)\n)*", re.ASCII)
_CLOCK = r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_TIMES = re.compile(rf"(?:{_CLOCK}(?:Z|\+00:00)\n)*", re.ASCII)
_DIGITS_TO_0 = bytes.maketrans(b"123456789", b"000000000")
_TIMES_WITHOUT_ZONE = re.compile(rf"(?:{_CLOCK}\n)*", re.ASCII)
# What has a meaning in COPY's text; and NUL, which has no place in it.
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
    # Quicker than one expression.
    if any(character in text for character in _SPECIAL_CHARACTERS):
        if "\0" in text:
            raise InvalidMessage(f"a text of {name} holds a NUL character")
        texts = [escape(each) for each in texts]
    if "" in texts:
        if is_required:
            raise InvalidMessage(f"{name} is missing")
        return [each or NULL for each in texts]
    return texts


def time_columns(times: Sequence[str], now: datetime) -> tuple[Sequence[str], Sequence[str]]:
    """The times, and their minutes."""
    text = _lines(times)
    minutes = [time[:MINUTE_LENGTH] for time in times]
    sample = _sample(text, times, minutes)
    if _TIMES.fullmatch(sample) is None:
        if _TIMES_WITHOUT_ZONE.fullmatch(sample):
            times = [time + "Z" for time in times]
        else:
            times = [parse_time("event_time", time, now).isoformat() for time in times]
            return times, [time[:MINUTE_LENGTH] for time in times]
    # Every day must be a real one; the few rows of the last minute are judged one by one.
    distinct = set(minutes)
    days = {minute[:10] for minute in distinct}
    if (
        not _are_days(days)
        or min(days) < f"{EARLIEST:%Y-%m-%d}"
        or max(distinct) >= f"{now + LATEST_AHEAD:%Y-%m-%dT%H:%M}"
    ):
        raise InvalidMessage("a time is out of range")
    return times, minutes


def _sample(text: str, times: Sequence[str], minutes: Sequence[str]) -> str:
    """Lines that match _TIMES if and only if the text of all does: a time a minute, when all are written alike."""
    width = text.index("\n") + 1
    # Offsets differ by digits, as seconds do.
    is_one_zone = "+" not in text[:width] or text.count("+00:00\n") == len(times)
    shape = text.encode(errors="replace").translate(_DIGITS_TO_0)
    if is_one_zone and shape == shape[:width] * len(times) and set(text[MINUTE_LENGTH + 1 :: width]) <= set("012345"):
        return _lines(dict(zip(minutes, times, strict=True)).values())
    return text


def amount_column(amounts: Sequence[str], parse: Callable[[str], object]) -> Sequence[str]:
    """A column of amounts; `parse` gives the number of one that is spelled in an unusual way."""
    if _AMOUNTS.fullmatch(_lines(amounts)):
        return amounts
    return [str(parse_amount(parse(amount))) for amount in amounts]


def risk_score_column(risk_scores: Sequence[str], parse: Callable[[str], object]) -> Sequence[str]:
    """A column of risk scores, rounded; those that are NULL are absent."""
    text = _lines(risk_scores)
    if _RISK_SCORES.fullmatch(text):
        return risk_scores
    if _LONG_RISK_SCORES.fullmatch(text):
        return [NULL if score == NULL else str(rounded(Decimal(score))) for score in risk_scores]
    return [NULL if score == NULL else str(parse_risk_score(parse(score))) for score in risk_scores]


def aggregate_columns(
    minutes: Sequence[str],
    categories: Sequence[str],
    types: Sequence[str],
    amounts: Sequence[str],
    risk_scores: Sequence[str],
) -> Stats:
    """The aggregates of rows given by their columns."""
    return aggregate(
        list(zip(minutes, categories, types, strict=True)),
        list(map(float, amounts)),
        _floats(risk_scores),
    )


def _floats(risk_scores: Sequence[str]) -> Sequence[float | None]:
    try:
        return list(map(float, risk_scores))
    except ValueError:
        return [None if score == NULL else float(score) for score in risk_scores]


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
