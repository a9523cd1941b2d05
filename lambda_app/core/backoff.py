"""How long to wait before trying again: longer each time, up to a cap, never two in step."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Delays that double from `first_seconds` to `cap_seconds`, each shortened by up to a half at random."""

    first_seconds: float
    cap_seconds: float
    rng: random.Random = field(default_factory=random.Random)
    _attempt: int = 0

    def next_delay(self) -> float:
        """Seconds to wait now.

        >>> backoff = Backoff(1, 10, random.Random(1))
        >>> [round(backoff.next_delay()) for _ in range(6)]
        [1, 2, 4, 5, 7, 7]
        """
        # The exponent is bounded too: a peer may be away for days.
        longest = min(self.cap_seconds, self.first_seconds * float(1 << min(self._attempt, 30)))
        self._attempt += 1
        return longest * (0.5 + self.rng.random() / 2)

    def reset(self) -> None:
        """The peer answered: the next delay is the first again."""
        self._attempt = 0
