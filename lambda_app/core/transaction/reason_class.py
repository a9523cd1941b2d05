"""Reasons of dead letters in a few classes, for what counts them: a metric's label must not hold what was sent."""

import re

from lambda_app.core.transaction.message import MAX_LENGTHS

_FIELDS = frozenset({*MAX_LENGTHS, "amount", "card_present", "event_time", "timestamp", "risk_score"})
# How the other reasons begin.
_BEGINNINGS = {
    "the message has no value": "no_value",
    "JSON, but no object": "not_json",
    "not JSON": "not_json",
    "a number with thousands of digits": "number",
    "not a number": "number",
    "conflicts with the stored transaction": "conflict",
    "PostgreSQL refuses it": "refused_by_postgresql",
    "not CSV": "not_csv",
    "the line is longer": "not_csv",
}
OTHER = "other"
REASON_CLASSES = (*sorted(_FIELDS), *sorted(set(_BEGINNINGS.values())), OTHER)


def reason_class(reason: str) -> str:
    """One of REASON_CLASSES: the field that the reason is about, or what the whole message is.

    >>> reason_class("amount has 3 decimals, more than 2: 1.234")
    'amount'
    """
    name = re.match(r"\w*", reason)
    if name and name[0] in _FIELDS:
        return name[0]
    return next((of for beginning, of in _BEGINNINGS.items() if reason.startswith(beginning)), OTHER)
