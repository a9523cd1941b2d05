"""Text from outside: everything that a terminal or a reader of lines would obey is shown, all else stays as it is."""

import pytest

from lambda_app.core.visible import visible

C0, C1 = range(0x20), range(0x7F, 0xA0)
BIDIRECTIONAL = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", [*C0, *C1, *BIDIRECTIONAL, 0x2028, 0x2029, 0xD800, 0xDCFF, 0xDFFF])
def test_what_is_obeyed_is_shown_by_its_number(code):
    shown = visible(f"a{chr(code)}b")

    assert shown.isascii()
    assert shown.isprintable()
    assert shown[1:-1] == chr(code).encode("unicode_escape").decode()


@pytest.mark.parametrize(
    "text", ["payments.csv", "Umsätze 2026.csv", "売上\u3000.csv", "a b", "[red]x[/red]", ":smile:", "\\x1b"]
)
def test_what_is_only_text_stays_as_it_is(text):
    assert visible(text) == text
