"""Each case of tests/cases/messages.jsonl, alone and among many."""

from datetime import UTC, datetime

import pytest

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import parse_message
from lambda_app.core.transaction.message_bulk import encode_messages
from lambda_app.errors import InvalidMessage
from tests.cases.message_cases import Case, message_cases

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
CASES = message_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case_is_judged_as_expected(case: Case) -> None:
    if case.expect is None:
        with pytest.raises(InvalidMessage) as refused:
            parse_message(case.value, NOW)
        assert str(refused.value) == case.reason
    else:
        transaction = parse_message(case.value, NOW)
        assert {name: getattr(transaction, name) for name in case.expect} == case.expect


def test_cases_are_judged_the_same_all_at_once() -> None:
    encoded = encode_messages([case.value for case in CASES], "STREAM", NOW)

    assert encoded.rejected == [(place, case.reason) for place, case in enumerate(CASES) if case.reason]
    assert [CASES[place] for place in encoded.places] == [case for case in CASES if case.expect]


@pytest.mark.parametrize("case", [case for case in CASES if case.expect], ids=str)
def test_valid_case_is_the_same_among_many_of_its_kind(case: Case) -> None:
    lines = encode_messages([case.value] * 50, "STREAM", NOW).rows.lines

    expected = encode_row(parse_message(case.value, NOW), "STREAM").split("\t")
    assert len(lines) == 50
    for line in lines:
        columns = line.split("\t")
        assert datetime.fromisoformat(columns[0]) == datetime.fromisoformat(expected[0])
        assert float(columns[4]) == float(expected[4])
        assert columns[1:4] + columns[5:8] + columns[9:] == expected[1:4] + expected[5:8] + expected[9:]


def test_names_and_ids_of_cases_are_their_own() -> None:
    names = [case.name for case in CASES]
    ids = [case.expect["transaction_id"] for case in CASES if case.expect]

    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
