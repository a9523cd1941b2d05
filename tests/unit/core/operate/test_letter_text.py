"""How dead letters are found and shown."""

from datetime import UTC, datetime

import pytest

from lambda_app.core.operate.letter_text import like_pattern, readable, reason_kind
from lambda_app.core.transaction.message import parse_message
from lambda_app.errors import InvalidMessage


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b'{"amount": "12"}', "transaction_id is missing"),
        (b'{"transaction_id": 17}', "transaction_id must be text, not a number"),
        (b'{"transaction_id": [[[1]]]}', "transaction_id must be text, not a list"),
        (b'{"card_present": "no"}', "card_present must be true or false, not text"),
        (b'{"transaction_id": "a: 1\\u0000"}', "transaction_id holds a NUL character"),
        (b'{"a": tru}', "not JSON: invalid character"),
        (b"", "not JSON: it is empty"),
        (b"[]", "JSON, but no object: it is array"),
    ],
)
def test_reason_kind_is_the_start_of_the_reason_without_its_value(value: bytes, kind: str) -> None:
    with pytest.raises(InvalidMessage) as error:
        parse_message(value, datetime.now(UTC))

    assert reason_kind(str(error.value)) == kind
    assert str(error.value).startswith(kind)


def test_conflicts_are_of_one_kind_whatever_differs() -> None:
    start = "conflicts with the stored transaction of this id and time"

    for differences in (
        "amount is 2.00, stored is 1.00",
        "location is 'a: 5', stored is null; amount is 2",
    ):
        assert reason_kind(f"{start}: {differences}") == start


@pytest.mark.parametrize(
    ("pattern", "like"), [("day.csv", "day.csv"), ("*_?.csv", "%\\__.csv"), ("100%\\", "100\\%\\\\")]
)
def test_pattern_of_the_shell_becomes_one_of_like(pattern: str, like: str) -> None:
    assert like_pattern(pattern) == like


@pytest.mark.parametrize("text", ['{"a": "\u00e9\u00a0\U0001f600"}', "two\r\nlines\tand a tab\n", ""])
def test_text_is_shown_as_it_is(text: str) -> None:
    assert readable(text.encode()) == text


@pytest.mark.parametrize("raw", [b"\xff", b"\x1b[2J", b"\0", "\u009b".encode()])
def test_what_is_no_text_or_would_rule_the_terminal_is_dumped(raw: bytes) -> None:
    assert readable(raw).startswith(f"00000000  {raw[0]:02x}")
    assert readable(raw).isprintable()


def test_dump_has_sixteen_bytes_a_line() -> None:
    assert readable(b"0123456789abcdef\xff") == (
        "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
        "00000010  ff                                               |.|"
    )
