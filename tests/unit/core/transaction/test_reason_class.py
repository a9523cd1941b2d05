"""Every reason that the cases know has a class that says what it is about."""

import pytest

from lambda_app.core.transaction.conflicts import CONTENT, conflict_reason
from lambda_app.core.transaction.reason_class import OTHER, REASON_CLASSES, reason_class
from tests.cases.message_cases import Case, message_cases

REFUSED = [case for case in message_cases() if case.reason]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_reason_of_a_message_has_a_class(case: Case) -> None:
    found = reason_class(case.reason or "")

    assert found != OTHER
    assert found in REASON_CLASSES


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("amount has 3 decimals, more than 2: 1.234", "amount"),
        ("the message has no value", "no_value"),
        (conflict_reason([1] * len(CONTENT), [2] * len(CONTENT)), "conflict"),
        ("PostgreSQL refuses it: value too long", "refused_by_postgresql"),
        ("amounts are something else", OTHER),
        ("", OTHER),
    ],
)
def test_class_names_the_field_or_what_the_message_is(reason: str, expected: str) -> None:
    assert reason_class(reason) == expected
