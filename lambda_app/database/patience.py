"""PostgreSQL is away for a while: how to tell, and how to wait for it.

The consumer uses neither: whatever PostgreSQL says, it begins again at the stored offsets, and while it waits it has to
go on polling Kafka.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import psycopg2

from lambda_app import settings
from lambda_app.core.backoff import Backoff
from lambda_app.core.events import Event
from lambda_app.database.connection import Connection, is_away
from lambda_app.errors import DatabaseUnavailable
from lambda_app.host.clock import Clock

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def is_outage(error: Exception, *connections: Connection) -> bool:
    """Whether the work failed because PostgreSQL is away, and has to be done again as it is.

    An outage breaks one of the work's connections, or PostgreSQL says that it takes no connection or no writes. All
    else that it says on whole connections (a full disk, a deadlock, a value that it refuses) is about this work.
    """
    if not isinstance(error, DatabaseUnavailable):
        return False
    cause = error.__cause__
    return (isinstance(cause, psycopg2.Error) and is_away(cause)) or any(each.closed for each in connections)


class Patience:
    """Waits between attempts at some work, longer each time."""

    def __init__(self, clock: Clock, message: str, limit_seconds: float = float("inf")) -> None:
        """`message` is what the log says of each wait, before the reason."""
        self._clock = clock
        self._message = message
        self._deadline = clock.monotonic() + limit_seconds
        self._backoff = Backoff(settings.BACKOFF_FIRST_SECONDS, settings.BACKOFF_CAP_SECONDS)

    def wait(self, error: DatabaseUnavailable) -> None:
        """Waits before the next attempt. Raises the error of the last one when that would come after the limit."""
        delay = self._backoff.next_delay()
        if self._clock.monotonic() + delay > self._deadline:
            raise error
        logger.warning("%s: %s", self._message, error, extra=Event.PEER_AWAY.fields(peer="postgresql"))
        self._clock.sleep(delay)

    def reset(self) -> None:
        """PostgreSQL answered: the next wait is as short as the first."""
        self._backoff.reset()


def patiently(work: Callable[[], Result], clock: Clock, message: str, limit_seconds: float = float("inf")) -> Result:
    """Does the work, and again after each outage, until it is done; see `Patience`."""
    patience = Patience(clock, message, limit_seconds)
    while True:
        try:
            return work()
        except DatabaseUnavailable as error:
            patience.wait(error)
