"""How dead letters are found and shown."""

import re

# Matches the example at the end of a reason, in Python and in PostgreSQL.
EXAMPLE = r"""(?s)( at byte [0-9]+)?: (['"{[0-9-]|true|false|null|[a-z_]+ is .*, stored is ).*$"""

_LIKE = str.maketrans({"*": "%", "?": "_", "%": "\\%", "_": "\\_", "\\": "\\\\"})
# Control characters other than tab and line breaks: bytes with them are shown as a dump.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DUMP_WIDTH = 16


def reason_kind(reason: str) -> str:
    """The start of a reason that it shares with its like.

    >>> reason_kind("amount has 3 decimals, more than 2: 1.234")
    'amount has 3 decimals, more than 2'
    >>> reason_kind("conflicts with the stored transaction of this id and time: amount is 2.00, stored is 1.00")
    'conflicts with the stored transaction of this id and time'
    """
    return re.sub(EXAMPLE, "", reason)


def like_pattern(pattern: str) -> str:
    """A pattern of the shell, of which `*` and `?` are known, as one of LIKE.

    >>> like_pattern("day_?.*")
    'day\\\\__.%'
    """
    return pattern.translate(_LIKE)


def readable(raw: bytes) -> str:
    """Text, when it is UTF-8 without control characters, else a dump such as `hexdump -C` gives."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _dump(raw)
    return _dump(raw) if _CONTROL.search(text) else text


def _dump(raw: bytes) -> str:
    lines = []
    for start in range(0, len(raw), _DUMP_WIDTH):
        piece = raw[start : start + _DUMP_WIDTH]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)
        lines.append(f"{start:08x}  {piece.hex(' '):{3 * _DUMP_WIDTH}} |{text}|")
    return "\n".join(lines)
