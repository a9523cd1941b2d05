"""Transaction ids `TXN-<UTC time>-<counter><process>`: unique, and sorted as text in the order of their making.

The counter tells apart the ids of one millisecond, the random process part those of two processes or of two starts
of one; a clock that is set back does not take the ids back with it.
"""

from datetime import UTC, datetime

COUNTER_DIGITS = 4
PROCESS_DIGITS = 12
PROCESS_BITS = 4 * PROCESS_DIGITS
IDS_PER_MILLISECOND = 16**COUNTER_DIGITS


class TransactionIds:
    """Makes the ids of one process; `process` is its own random number of PROCESS_DIGITS hexadecimal digits.

    >>> TransactionIds(process=0xABC).take(1_795_508_080_123, 2)
    ['TXN-20261124081440123-0000000000000abc', 'TXN-20261124081440123-0001000000000abc']
    """

    def __init__(self, process: int) -> None:
        if not 0 <= process < 16**PROCESS_DIGITS:
            raise ValueError(f"the process part has {PROCESS_DIGITS} hexadecimal digits: {process:x}")
        self._process = f"{process:0{PROCESS_DIGITS}x}"
        self._milliseconds = -1
        self._counter = 0

    def take(self, milliseconds: int, count: int) -> list[str]:
        """The next `count` ids for a time in milliseconds since 1970; a full millisecond borrows from the next."""
        if milliseconds > self._milliseconds:
            self._milliseconds = milliseconds
            self._counter = 0
        ids: list[str] = []
        while len(ids) < count:
            if self._counter == IDS_PER_MILLISECOND:
                self._milliseconds += 1
                self._counter = 0
            first = self._counter
            self._counter = min(first + count - len(ids), IDS_PER_MILLISECOND)
            prefix = f"TXN-{_compact_time(self._milliseconds)}-"
            process = self._process
            ids += [f"{prefix}{number:04x}{process}" for number in range(first, self._counter)]
        return ids


def _compact_time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}{rest:03d}"
