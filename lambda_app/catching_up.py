"""A thread beside a worker that works out aggregates which were put off, when the worker has nothing better to do."""

import logging
import threading

from lambda_app import database
from lambda_app.clock import Clock
from lambda_app.errors import LambdaError
from lambda_app.recompute import recompute_uncounted

logger = logging.getLogger(__name__)


class CatchingUp:
    """Recomputes the days without all their aggregates, once for each time that it is due and the worker is idle."""

    def __init__(self, clock: Clock) -> None:
        """Due at first: somebody may have stopped before it was done."""
        self._clock = clock
        self._is_due = True
        self._thread: threading.Thread | None = None

    def note(self) -> None:
        """There is something to work out."""
        self._is_due = True

    def go_on(self) -> None:
        """Begins, when it is due and not at work already. Never waits."""
        if not self._is_due or (self._thread and self._thread.is_alive()):
            return
        self._is_due = False
        # A worker that stops does not wait for it: PostgreSQL rolls back what it left.
        self._thread = threading.Thread(target=self._run, name="catching-up", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            recompute_uncounted(self._clock, database.STREAM)
        except LambdaError as error:
            # Readers count for themselves; the next time it is due, or the night, works it out.
            logger.warning("Aggregates are not worked out yet: %s", error)
