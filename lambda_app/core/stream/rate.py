"""How many records are due at a given moment: the rate holds over minutes, and a stall is not paid back in a burst.

Each record has its slot on a fixed grid, so being late once does not slow down what follows. Slots that are missed
by more than CATCH_UP_SECONDS are given up.
"""

import math

CATCH_UP_SECONDS = 1.0


class Pace:
    """Deals out the slots of `rate` records a second, the first at `start`; times are seconds of one steady clock."""

    def __init__(self, rate: float, start: float) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"a pace needs a rate above 0: {rate}")
        self._rate = rate
        self._start = start
        self._taken = 0

    def take(self, now: float, limit: int) -> int:
        """How many slots, `limit` at most, have come by `now`; they count as used. The others stay due."""
        # A millionth of a slot makes up for rounding in wait_seconds.
        reached = math.floor((now - self._start) * self._rate + 1e-6) + 1
        kept = max(1, math.floor(self._rate * CATCH_UP_SECONDS))
        if reached - self._taken > kept:
            # Start the grid again at the oldest slot that is kept.
            self._start += (reached - self._taken - kept) / self._rate
            reached = self._taken + kept
        count = max(0, min(reached - self._taken, limit))
        self._taken += count
        return count

    def wait_seconds(self, now: float) -> float:
        """How long until the next slot; 0 when one is due."""
        return max(0.0, self._start + self._taken / self._rate - now)
