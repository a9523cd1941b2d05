"""The header of a file: which dialects are read, and why a file without one is refused."""

import pytest

from lambda_app.errors import InvalidFile
from tests.support.parsed_csv import GOOD, HEADER, parse


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEADER}\n{GOOD}\n",  # a byte order mark
        f"{HEADER}\r\n{GOOD}\r\n",
        f"{HEADER}\n{GOOD}",  # no end of line at the end
        f"{HEADER}\n\n{GOOD}\n\n",  # blank lines
        f'"transaction_id", Account_ID ,transaction_type,amount,event_time\n{GOOD}\n',
    ],
)
def test_dialects_of_csv_are_read(text):
    [accepted] = parse(text)

    assert accepted.values["transaction_id"] == "T1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the first line is missing or blank"),
        ("\n", "the first line is missing or blank"),
        ("a\n", "lacks transaction_id, account_id, transaction_type, amount, event_time"),
        ("transaction_id,account_id,amount,timestamp\n", "lacks transaction_type"),
        (f"{HEADER},amount\n", "names amount more than once"),
        (f'"{HEADER}\n', "the header is not CSV"),
    ],
)
def test_file_without_a_usable_header_is_refused(text, reason):
    with pytest.raises(InvalidFile, match=reason):
        parse(text)
