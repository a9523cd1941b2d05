"""Which entries of the inbox are input: decided by the name alone, as lambda-inbox.path decides it."""

import re

_INPUT = re.compile(r"[^.].*\.csv(\.gz)?", re.IGNORECASE | re.DOTALL)


def is_hidden(name: str) -> bool:
    """Whether the name begins with a dot, as temporary files of uploads and Macs do: such entries are left alone.

    >>> is_hidden("._payments.csv"), is_hidden(".payments.csv.part"), is_hidden("a.csv")
    (True, True, False)
    """
    return name.startswith(".")


def is_input(name: str) -> bool:
    """Whether the name is one of a file to load: `*.csv` or `*.csv.gz`, capitals too, not hidden.

    >>> [is_input(name) for name in ("a.csv", "B.CSV", "c.csv.gz", ".csv", "._a.csv", "d.xlsx", "e.csv.part")]
    [True, True, True, False, False, False, False]
    """
    return _INPUT.fullmatch(name) is not None
