"""Retention: the transactions of old days are dropped, a whole day table at a time; their aggregates stay."""

import logging
from collections.abc import Sequence

from lambda_app import settings
from lambda_app.core.events import Event
from lambda_app.database.connection import Connection, DependentObjects, LockTimeout
from lambda_app.database.locks import Lock, day_key
from lambda_app.database.queries import Queries
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock
from lambda_app.operate.closed_days import ClosedDay

logger = logging.getLogger(__name__)

_QUERIES = Queries("maintenance")


def drop_days(connection: Connection, days: Sequence[ClosedDay], clock: Clock) -> None:
    """Drops these days as soon as nobody uses them; gives up until the next night when they stay in use."""
    deadline = clock.monotonic() + settings.DROP_WAIT_SECONDS
    for old in days:
        while not _drop(connection, old):
            if clock.monotonic() >= deadline:
                logger.warning(
                    "%s and the days after it that are past retention are dropped the next night: transactions has been"
                    " in use without a break for %d s (SELECT * FROM pg_stat_activity ORDER BY xact_start)",
                    old.day,
                    settings.DROP_WAIT_SECONDS,
                    extra=Event.DAYS_NOT_DROPPED.fields(business_date=old.day),
                )
                return
            clock.sleep(settings.DROP_PAUSE_SECONDS)
        logger.info(
            "%s is past retention: its transactions are dropped, its aggregates stay",
            old.day,
            extra=Event.DAY_DROPPED.fields(business_date=old.day),
        )


def _drop(connection: Connection, old: ClosedDay) -> bool:
    """False when the table was in use."""
    try:
        _QUERIES.run(
            connection,
            "drop_partition",
            lock=Lock.RECOMPUTE,
            keys=list(map(day_key, old.days)),
            partition=old.table,
            days=old.days,
            milliseconds=int(settings.DROP_LOCK_SECONDS * 1000),
        )
    except LockTimeout:
        return False
    except DependentObjects as error:
        raise LambdaError(
            f"{old.day} is past retention and cannot be dropped: {error.diag.message_detail}. Drop that first"
        ) from error
    return True
