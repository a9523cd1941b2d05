"""A thread beside a worker that works out aggregates that were put off, when the worker has nothing better to do."""

import logging
import threading

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.database.connection import STREAM
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock
from lambda_app.layers.recompute import recompute_uncounted

logger = logging.getLogger(__name__)


class CatchingUp:
    """Recomputes the days that lack aggregates, once for each time that it is due."""

    def __init__(self, clock: Clock) -> None:
        """Due once after the start: a worker may have stopped before its days were recomputed."""
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._due_at: float | None = None
        self.put_off()

    def put_off(self) -> None:
        """Makes it due some time from now: other workers may still be busy."""
        self._due_at = self._clock.monotonic() + settings.CATCH_UP_AFTER_SECONDS

    def is_due(self) -> bool:
        """Whether it may begin."""
        return self._due_at is not None and self._clock.monotonic() >= self._due_at

    def begin(self) -> None:
        """Begins, unless it is still at work: then it stays due. Never waits."""
        if self._thread and self._thread.is_alive():
            return
        self._due_at = None
        # A daemon thread: a worker that stops does not wait for it, and PostgreSQL rolls back an unfinished recompute.
        self._thread = threading.Thread(target=self._run, name="catching-up", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            recompute_uncounted(self._clock, STREAM)
        except LambdaError as error:
            # No harm: the views count these rows themselves until the next catching up, or the night, recomputes them.
            logger.warning("Aggregates are not worked out yet: %s", error, extra=Event.CATCH_UP_FAILED.fields())
