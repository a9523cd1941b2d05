"""Many messages at once: what `parse_message` and `encode_row` say of each, several times as fast.

A typed decoder checks kinds and lengths; numbers and times stay text and are checked by one regular expression for all.
What does not pass is halved until the few that are to blame are judged one by one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, cast

import msgspec

from lambda_app.core.copy_text import BOOLEANS, MINUTE_LENGTH, NULL, encode_row, escape
from lambda_app.core.message import (
    EARLIEST,
    LATEST_AHEAD,
    MAX_LENGTHS,
    NUMBER_DECODER,
    parse_amount,
    parse_message,
    parse_risk_score,
    parse_time,
    rounded,
)
from lambda_app.core.rows import Rows
from lambda_app.core.stats import aggregate
from lambda_app.errors import InvalidMessage

# So many at once: what is made on the way still is in the processor's cache when it is used.
_PIECE = 1000
# Fewer than these are judged one by one.
_FEW = 32

_NULL = NULL.encode()
_AMOUNTS = re.compile(rb"(?:-?(?:0|[1-9]\d{0,9})(?:\.\d\d?)?\n)*")
_RISK_SCORES = re.compile(rb"(?:(?:(?:\d|[1-9]\d)(?:\.\d\d?)?|\\N)\n)*")
# What rounding could make 100.00 of is judged one by one.
_LONG_RISK_SCORES = re.compile(rb"(?:(?:(?:\d|[1-8]\d|9[0-8])(?:\.\d{1,20})?|99(?:\.\d\d?)?|\\N)\n)*")
_CLOCK = r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_TIMES = re.compile(rf"(?:{_CLOCK}(?:Z|\+00:00)\n)*", re.ASCII)
_TIMES_WITHOUT_ZONE = re.compile(rf"(?:{_CLOCK}\n)*", re.ASCII)
# What has a meaning in COPY's text; and NUL, which has no place in it.
_SPECIAL = re.compile(r"[\\\x08\t\n\x0b\x0c\r\0]")
# What a message with a fault raises here, before `parse_message` says which fault.
_FAULTS = (msgspec.MsgspecError, UnicodeError, RecursionError, InvalidMessage, TypeError)


@dataclass
class Encoded:
    """Messages taken apart: each is a row or a rejection."""

    # The valid ones, and the place of each one's message.
    rows: Rows = field(default_factory=Rows)
    places: list[int] = field(default_factory=list)
    # The place and the reason.
    rejected: list[tuple[int, str]] = field(default_factory=list)


def encode_messages(
    values: Sequence[bytes | None], ingestion_type: str, now: datetime, first_place: int = 0
) -> Encoded:
    """Rows of the valid ones, reasons for the others, in their order; places count from `first_place`."""
    encoded = Encoded()
    for start in range(0, len(values), _PIECE):
        _encode(values[start : start + _PIECE], ingestion_type, now, first_place + start, encoded)
    return encoded


class _Fields(msgspec.Struct, gc=False):
    transaction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LENGTHS["transaction_id"])]
    account_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LENGTHS["account_id"])]
    transaction_type: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LENGTHS["transaction_type"])]
    amount: msgspec.Raw
    event_time: str | None = None
    # Whatever is in it does not matter when there is an event_time.
    timestamp: object = None
    merchant_category: Annotated[str, msgspec.Meta(max_length=MAX_LENGTHS["merchant_category"])] | None = NULL
    location: Annotated[str, msgspec.Meta(max_length=MAX_LENGTHS["location"])] | None = NULL
    card_present: bool | None = None
    risk_score: msgspec.Raw = msgspec.Raw(_NULL)
    job_id: Annotated[str, msgspec.Meta(max_length=MAX_LENGTHS["job_id"])] | None = NULL


_decode = msgspec.json.Decoder(_Fields).decode


def _encode(
    values: Sequence[bytes | None], ingestion_type: str, now: datetime, first_place: int, encoded: Encoded
) -> None:
    try:
        encoded.rows += _encode_valid(values, ingestion_type, now)
        encoded.places += range(first_place, first_place + len(values))
    except _FAULTS:
        if len(values) <= _FEW:
            _encode_each(values, ingestion_type, now, first_place, encoded)
        else:
            middle = len(values) // 2
            _encode(values[:middle], ingestion_type, now, first_place, encoded)
            _encode(values[middle:], ingestion_type, now, first_place + middle, encoded)


def _encode_each(
    values: Sequence[bytes | None], ingestion_type: str, now: datetime, first_place: int, encoded: Encoded
) -> None:
    lines = []
    for place, value in enumerate(values, first_place):
        try:
            lines.append(encode_row(parse_message(value, now), ingestion_type))
        except InvalidMessage as error:
            encoded.rejected.append((place, str(error)))
        else:
            encoded.places.append(place)
    encoded.rows += Rows.of(lines)


def _encode_valid(values: Sequence[Any], ingestion_type: str, now: datetime) -> Rows:
    """Rows of messages that are all valid; raises one of `_FAULTS` when one may not be."""
    rows: list[_Fields] = [_decode(value) for value in values]
    text = b"".join(values)
    # JSON writes each character that COPY has a meaning for with a backslash.
    if b"\\" in text or b"null" in text:
        for row in rows:
            _escape_texts(row)
    times, minutes = _times([row.timestamp if row.event_time is None else row.event_time for row in rows], now)
    amounts = _amounts([row.amount for row in rows])
    risk_scores = _risk_scores([row.risk_score for row in rows])
    lines = [
        f"{time}\t{row.transaction_id}\t{row.account_id}\t{row.transaction_type}\t{amount}\t{row.merchant_category}\t"
        f"{row.location}\t{BOOLEANS[row.card_present]}\t{risk_score}\t{row.job_id}\t{ingestion_type}\n"
        for row, time, amount, risk_score in zip(rows, times, amounts, risk_scores, strict=True)
    ]
    # Absent is NULL, not None, by now.
    categories = cast("list[str]", [row.merchant_category for row in rows])
    keys = list(zip(minutes, categories, [row.transaction_type for row in rows], strict=True))
    scores = [None if score == NULL else float(score) for score in risk_scores]
    return Rows(lines, aggregate(keys, list(map(float, amounts)), scores))


def _escape_texts(row: _Fields) -> None:
    """Turns texts into columns, where they are none yet."""
    for name in MAX_LENGTHS:
        text = getattr(row, name)
        if text is None:
            setattr(row, name, NULL)
        elif text is not NULL and _SPECIAL.search(text):
            if "\0" in text:
                raise InvalidMessage(f"{name} holds a NUL character")
            setattr(row, name, escape(text))
    for time in (row.event_time, row.timestamp):
        if isinstance(time, str) and _SPECIAL.search(time):
            raise InvalidMessage("a time is no time")


def _times(times: list[Any], now: datetime) -> tuple[Sequence[str], Sequence[str]]:
    """The times as columns, and their minutes."""
    text = "\n".join(times) + "\n"
    if _TIMES.fullmatch(text) is None:
        if _TIMES_WITHOUT_ZONE.fullmatch(text):
            times = [time + "Z" for time in times]
        else:
            times = [parse_time("event_time", time, now).isoformat() for time in times]
            return times, [time[:MINUTE_LENGTH] for time in times]
    minutes = [time[:MINUTE_LENGTH] for time in times]
    # Every day must be a real one; the few rows of the last minute are judged one by one.
    days = {minute[:10] for minute in set(minutes)}
    if (
        not _are_days(days)
        or min(days) < f"{EARLIEST:%Y-%m-%d}"
        or max(minutes) >= f"{now + LATEST_AHEAD:%Y-%m-%dT%H:%M}"
    ):
        raise InvalidMessage("a time is out of range")
    return times, minutes


def _are_days(days: Iterable[str]) -> bool:
    try:
        for day in days:
            datetime.fromisoformat(day)
    except ValueError:
        return False
    return True


def _amounts(amounts: list[msgspec.Raw]) -> Sequence[str]:
    text = b"\n".join(amounts) + b"\n"
    if _AMOUNTS.fullmatch(text):
        return text.decode().split("\n")[:-1]
    return [str(parse_amount(NUMBER_DECODER.decode(amount))) for amount in amounts]


def _risk_scores(risk_scores: list[msgspec.Raw]) -> Sequence[str]:
    text = b"\n".join(risk_scores) + b"\n"
    if b"null" in text:
        text = text.replace(b"null", _NULL)
    if _RISK_SCORES.fullmatch(text):
        return text.decode().split("\n")[:-1]
    if _LONG_RISK_SCORES.fullmatch(text):
        return [NULL if score == NULL else str(rounded(Decimal(score))) for score in text.decode().split("\n")[:-1]]
    return [
        NULL if score == _NULL or score == b"null" else str(parse_risk_score(NUMBER_DECODER.decode(score)))
        for score in risk_scores
    ]
