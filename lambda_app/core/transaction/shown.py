"""How a reason shows a value from outside: short, on one line, control characters as escapes."""

from decimal import Decimal

import msgspec

_SHOWN_CHARACTERS = 60
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    str: "text",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def kind(value: object) -> str:
    """What sort of value it is."""
    return _KINDS.get(type(value), type(value).__name__)


def show(value: object) -> str:
    r"""The start of a value.

    >>> show("a\tb\x1b"), show(None), show([1])
    ("'a\\tb\\x1b'", 'null', '[1]')
    """
    if isinstance(value, str):
        # Cut before repr: a text may have a million characters.
        text = repr(value[:_SHOWN_CHARACTERS])
    elif isinstance(value, Decimal):
        text = str(value)
    else:
        try:
            text = _ENCODER.encode(value).decode()
        except RecursionError:
            text = f"{kind(value)}, nested too deeply to show"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
