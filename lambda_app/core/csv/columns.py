"""CSV text into columns, all records at once, where a few whole-text steps can tell; where not, a CSV reader has to."""

from collections.abc import Sequence

# Stands for a delimiter between quotes while the text is split at the others.
_QUOTED_DELIMITER = "\x1f"
# The CSV reader's limit for a field (csv.field_size_limit): a text up to this length has no field beyond it.
_LONGEST = 131_072


def split_columns(block: bytes, lines: int, width: int, delimiter: str = ",") -> Sequence[Sequence[str]] | None:
    r"""The fields of whole lines, by column; None when it takes a CSV reader to tell.

    It takes one for: a record of another number of fields than `width`, line breaks or quotes within quotes, quotes
    within a field.

    >>> split_columns(b'a,"b, c"\nd,e\n', 2, 2)
    [['a', 'd'], ['b, c', 'e']]
    """
    text = block.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _QUOTED_DELIMITER in text or len(block) > _LONGEST:
        return None
    parts = text.removesuffix("\n").split('"')
    quotes = len(parts) - 1
    if quotes:
        quoted = "\n".join(parts[1::2]).replace(delimiter, _QUOTED_DELIMITER).split("\n")
        # Quotes must close in the line where they open: else a record has more than one line.
        if quotes % 2 or len(quoted) != quotes // 2:
            return None
        parts[1::2] = quoted
    columns = _split_plain('"'.join(parts), lines, width, delimiter)
    return _unquote(columns, quotes, delimiter) if columns and quotes else columns


def _split_plain(text: str, lines: int, width: int, delimiter: str) -> list[list[str]] | None:
    """Splits at every delimiter; None unless each line has `width` fields."""
    fields = text.split(delimiter)
    step = width - 1
    if len(fields) != lines * step + 1:
        return None
    # Split at delimiters alone, the last field of a line stays together with the first of the next.
    edges = fields[::step]
    if False in ["\n" in edge for edge in edges[1:-1]]:
        return None
    ends = "\n".join(edges).split("\n")
    return [ends[::2], *(fields[place::step] for place in range(1, step)), ends[1::2]]


def _unquote(columns: list[list[str]], quotes: int, delimiter: str) -> list[list[str]] | None:
    """None when there are quotes that do not enclose a field; they match up within each field."""
    # Columns that begin with a quote come first: usually no others have quotes, and the loop can end.
    for place in sorted(range(len(columns)), key=lambda place: '"' not in columns[place][0]):
        if not quotes:
            break
        text = "\n".join(columns[place])
        framed = f"\n{text}\n"
        count = framed.count('\n"') + framed.count('"\n')
        if text.count('"') != count:
            return None
        columns[place] = text.replace('"', "").replace(_QUOTED_DELIMITER, delimiter).split("\n")
        quotes -= count
    return columns
