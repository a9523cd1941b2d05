"""Rows of one id and time that are not the same transaction."""

from collections.abc import Sequence

from lambda_app.core.transaction.shown import show

# The columns that are compared. The time and the way a row came in do not count as content.
CONTENT = (
    "account_id",
    "transaction_type",
    "amount",
    "merchant_category",
    "location",
    "card_present",
    "risk_score",
    "job_id",
)


def conflict_reason(values: Sequence[object], stored: Sequence[object]) -> str:
    """Why a row is not stored: its values and those that are, in the order of CONTENT; some of them differ."""
    differences = [
        f"{name} is {show(value)}, stored is {show(other)}"
        for name, value, other in zip(CONTENT, values, stored, strict=True)
        if value != other
    ]
    return "conflicts with the stored transaction of this id and time: " + "; ".join(differences)
