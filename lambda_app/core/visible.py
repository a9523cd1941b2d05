"""Text from outside as it may be printed: what a terminal or a reader of lines would obey is shown instead."""

import re

_OBEYED = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences, line breaks, tabs
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # reorder what stands beside them
    "\u2028\u2029"  # line and paragraph separator
    "\ud800-\udfff"  # half a character: a byte of a file's name that is not UTF-8
    "]"
)


def visible(text: str) -> str:
    """The text with every such character as Python writes it.

    >>> print(visible("a.csv\\x1b[2J\\nb\\u202e"))
    a.csv\\x1b[2J\\nb\\u202e
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
