"""Amounts and risk scores: which values can be stored, and why others cannot.

A number counts by its value, not its spelling: 1e2 and 12.50000 are fine.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from lambda_app.core.transaction.shown import kind, show
from lambda_app.errors import InvalidMessage

AMOUNT_LIMIT = 10**10
RISK_SCORE_LIMIT = Decimal("99.99")

# The farthest that a double's artefact, such as 0.30000000000000004, lies from its hundredth.
_ARTEFACT = Decimal("1e-9")
_HUNDREDTH = Decimal("0.01")
_ZERO = Decimal("0.00")
_EXACT = Context(prec=40, rounding=ROUND_HALF_UP)
# Text that is a valid amount, and text with a decimal comma, which gets a reason of its own.
_PLAIN_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?[\d.,'\s]*,[\d.,'\s]*")


def parse_amount(value: object) -> Decimal:
    """An amount given as int, Decimal or plain decimal text such as "12.34". Raises InvalidMessage."""
    if value is None:
        raise InvalidMessage("amount is missing")
    number = _number_in_text(value) if isinstance(value, str) else _number("amount", value)
    # Checks the order of magnitude first, so that the digits of 1e999999999 are never written out.
    if number and number.adjusted() >= 10:
        raise InvalidMessage(f"amount must be between -10^10 and 10^10: {show(value)}")
    hundredths = rounded(number)
    if hundredths != number:
        if abs(_EXACT.subtract(number, hundredths)) > _ARTEFACT:
            raise InvalidMessage(f"amount has {_decimals(number)} decimals, more than 2: {show(value)}")
        if abs(hundredths) >= AMOUNT_LIMIT:
            raise InvalidMessage(f"amount must be between -10^10 and 10^10: {show(value)}")
    return hundredths


def parse_risk_score(value: object) -> Decimal:
    """A risk score given as int or Decimal, rounded. Raises InvalidMessage."""
    number = _number("risk_score", value)
    if number < 0 or number >= 100:
        raise InvalidMessage(f"risk_score must be between 0 and {RISK_SCORE_LIMIT}: {show(value)}")
    hundredths = rounded(number)
    if hundredths > RISK_SCORE_LIMIT:
        raise InvalidMessage(f"risk_score must be between 0 and {RISK_SCORE_LIMIT}: {show(value)}")
    return hundredths


def rounded(number: Decimal) -> Decimal:
    """A number below 10**38 to 2 decimals, halves away from zero, as PostgreSQL's numeric rounds; never -0.00."""
    return number.quantize(_HUNDREDTH, context=_EXACT) or _ZERO if number else _ZERO


def _number_in_text(text: str) -> Decimal:
    if _PLAIN_DECIMAL.fullmatch(text):
        return Decimal(text)
    if _WITH_COMMA.fullmatch(text):
        raise InvalidMessage(f"amount has a decimal comma or separates thousands: send 1234.56: {show(text)}")
    raise InvalidMessage(f"amount must be a number, or text that is a plain decimal such as 12.34: {show(text)}")


def _number(name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidMessage(f"{name} must be a number, not {kind(value)}: {show(value)}")
    number = Decimal(value)
    if not number.is_finite():
        raise InvalidMessage(f"{name} must be a number, not {show(value)}")
    return number


def _decimals(number: Decimal) -> int:
    _, digits, exponent = number.as_tuple()
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -int(exponent) - trailing_zeros
