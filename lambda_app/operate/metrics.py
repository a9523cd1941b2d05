"""The metrics of this host's units, and of what PostgreSQL and the inbox hold: looked at again for each scrape.

Who does not answer has no samples but one that says so: the others are there all the same.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from lambda_app.core.batch.inbox_entries import left_waiting, not_taken
from lambda_app.core.batch.job_files import INBOX
from lambda_app.core.events import Event
from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.database_samples import (
    DatabaseFacts,
    JobCount,
    LastNight,
    Night,
    Totals,
    database_samples,
)
from lambda_app.core.operate.health import JobFacts
from lambda_app.core.operate.unit_samples import unit_samples
from lambda_app.core.operate.units import unit_facts
from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.errors import LambdaError
from lambda_app.host.cgroups import read_use
from lambda_app.host.clock import Clock
from lambda_app.host.environment import batch_directory
from lambda_app.layers.recompute import dirty_days
from lambda_app.operate.inbox import inbox_entries
from lambda_app.operate.status import newest_age_seconds
from lambda_app.operate.units import show_units

logger = logging.getLogger(__name__)

_QUERIES = Queries("metrics")
_STATUS_QUERIES = Queries("status")
# What PostgreSQL is asked costs it some milliseconds: scrapes in between get the last answer.
DATABASE_SECONDS = 30.0


@dataclass
class Exporter:
    """Gathers the samples for one scrape after the other."""

    table: tuple[Component, ...]
    clock: Clock
    # Whether this host has the batch: then it speaks for PostgreSQL and the inbox too.
    has_batch: bool
    _database_samples: tuple[Sample, ...] = ()
    _asked_at: float = field(default=float("-inf"))

    def samples(self) -> Iterator[Sample]:
        """All that is known now."""
        yield from self._of("systemd", self._units)
        if self.has_batch:
            yield from self._of("postgresql", self._database)
            yield from self._of("inbox", self._inbox)
        yield declared.LOOKED_TIME.sample(self.clock.now().timestamp())

    def _of(self, source: str, look: Callable[[], Iterable[Sample]]) -> list[Sample]:
        try:
            samples = list(look())
        except LambdaError as error:
            logger.warning("No metrics of %s: %s", source, error, extra=Event.SOURCE_SILENT.fields(source=source))
            return [declared.SOURCE_UP.sample(0, source)]
        return [*samples, declared.SOURCE_UP.sample(1, source)]

    def _units(self) -> Iterator[Sample]:
        shown = show_units(self.table)
        units = {name: unit_facts(None, sample, 0) for name, sample in shown.items()}
        uses = {name: read_use(facts.control_group) for name, facts in units.items() if facts.control_group}
        return unit_samples(self.table, units, uses)

    def _database(self) -> tuple[Sample, ...]:
        now = self.clock.monotonic()
        if now - self._asked_at >= DATABASE_SECONDS:
            self._database_samples = ()
            with closing(connect(READER, "lambda-metrics")) as connection:
                self._database_samples = tuple(database_samples(read_facts(connection, self.clock)))
            self._asked_at = now
        return self._database_samples

    def _inbox(self) -> Iterator[Sample]:
        entries = inbox_entries(batch_directory() / INBOX, self.clock)
        yield declared.INBOX_NOT_TAKEN.sample(len(not_taken(entries)))
        yield declared.INBOX_WAITING.sample(len(left_waiting(entries)))


def read_facts(connection: Connection, clock: Clock) -> DatabaseFacts:
    """What PostgreSQL knows now."""
    with transaction(connection):
        given_up = _STATUS_QUERIES.rows(connection, "failed_jobs", JobFacts)
        jobs = _QUERIES.rows(connection, "jobs", JobCount)
        last_night = _QUERIES.row(connection, "last_night", LastNight)
        nights = _QUERIES.rows(connection, "nights", Night)
        totals = _QUERIES.row(connection, "totals", Totals)
    if totals is None:
        raise LambdaError("PostgreSQL gave no totals")
    return DatabaseFacts(
        jobs=jobs,
        given_up_nights=sum(job.file is None for job in given_up),
        given_up_files=sum(job.file is not None for job in given_up),
        last_night=last_night,
        nights=nights,
        totals=totals,
        dirty_days=len(dirty_days(connection)),
        newest_age_seconds=newest_age_seconds(connection, clock),
    )
