"""Gathers the facts about the platform from systemd, Kafka and PostgreSQL; for rates by two samples, one second apart.

Changes nothing. A server that does not answer becomes an error among the facts.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lambda_app.broker.topic import log_ends
from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.core.batch.job_files import INBOX
from lambda_app.core.operate.components import Component, parse_components
from lambda_app.core.operate.health import JobFacts, PlatformFacts, StreamFacts, UnitFacts
from lambda_app.core.operate.units import UnitSample, unit_facts
from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.errors import InvalidConfiguration, LambdaError
from lambda_app.host.clock import Clock
from lambda_app.host.environment import batch_directory, lacks_credential
from lambda_app.operate.inbox import inbox_entries
from lambda_app.operate.units import show_units
from lambda_app.settings import Settings

_QUERIES = Queries("status")
SAMPLE_SECONDS = 1.0
# The newest transaction is looked for in this span first, then in all days.
RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Position:
    """A partition of the topic in stream_offsets."""

    partition: int
    next_offset: int
    stored_count: int
    gap_count: int


@dataclass(frozen=True, slots=True)
class _Positions:
    """The table stream_offsets at one moment."""

    next_offsets: dict[int, int]
    stored: int
    gaps: int


def read_components(path: Path) -> tuple[Component, ...]:
    """The table of components that was deployed to this host."""
    try:
        return parse_components(path.read_bytes())
    except OSError as error:
        message = f"The table of components cannot be read: {error}; the playbook writes it"
        raise InvalidConfiguration(message) from error


def gather_facts(config: Settings, clock: Clock, table: tuple[Component, ...]) -> PlatformFacts:
    """Takes a little more than a second, longer when something does not answer.

    Where the host has no password of the reader, only its units are looked at.
    """
    errors: list[str] = []
    inbox = _inbox(clock, errors)
    if lacks_credential("pgpass-reader"):
        units, _, _, _ = _sample(config, clock, None, table, errors)
        return PlatformFacts(table, units, None, None, errors=tuple(errors), inbox=inbox)
    log_ends = _log_ends(config, errors)
    try:
        with closing(connect(READER, "lambda-status")) as connection:
            units, before, after, seconds = _sample(config, clock, connection, table, errors)
            newest_age, last_job, failed_jobs = _newest(connection, clock)
    except LambdaError as error:
        errors.append(str(error))
        units, _, _, _ = _sample(config, clock, None, table, errors)
        return PlatformFacts(table, units, None, None, errors=tuple(errors), inbox=inbox)
    stream = StreamFacts(
        lag_records=None if log_ends is None else _lag(log_ends, after),
        rows_per_second=(after.stored - before.stored) / seconds,
        newest_age_seconds=newest_age,
        gaps=after.gaps,
    )
    return PlatformFacts(table, units, stream, last_job, failed_jobs, tuple(errors), inbox)


def _sample(
    config: Settings, clock: Clock, connection: Connection | None, table: tuple[Component, ...], errors: list[str]
) -> tuple[dict[str, UnitFacts], _Positions, _Positions, float]:
    earlier, before, start = _unit_samples(table, []), _positions(config, connection), clock.monotonic()
    clock.sleep(SAMPLE_SECONDS)
    later, after, seconds = _unit_samples(table, errors), _positions(config, connection), clock.monotonic() - start
    units = {name: unit_facts(earlier.get(name), sample, seconds) for name, sample in later.items()}
    return units, before, after, seconds


def _unit_samples(table: tuple[Component, ...], errors: list[str]) -> dict[str, UnitSample]:
    try:
        return show_units(table)
    except LambdaError as error:
        errors.append(str(error))
        return {}


def _inbox(clock: Clock, errors: list[str]) -> tuple[InboxEntry, ...]:
    try:
        return inbox_entries(batch_directory() / INBOX, clock)
    except LambdaError as error:
        errors.append(str(error))
        return ()


def _log_ends(config: Settings, errors: list[str]) -> dict[int, int] | None:
    try:
        return log_ends(config)
    except LambdaError as error:
        errors.append(str(error))
        return None


def _positions(config: Settings, connection: Connection | None) -> _Positions:
    positions: list[_Position] = []
    if connection:
        with transaction(connection):
            positions = _QUERIES.rows(connection, "stream", _Position, topic=config.kafka_topic)
    return _Positions(
        next_offsets={each.partition: each.next_offset for each in positions},
        stored=sum(each.stored_count for each in positions),
        gaps=sum(each.gap_count > 0 for each in positions),
    )


def _lag(log_ends: dict[int, int], positions: _Positions) -> int:
    """Records behind. The log's ends were asked before the positions, so that a busy stream shows no false lag."""
    return sum(max(0, end - positions.next_offsets.get(partition, 0)) for partition, end in log_ends.items())


def _newest(connection: Connection, clock: Clock) -> tuple[float | None, JobFacts | None, tuple[JobFacts, ...]]:
    with transaction(connection):
        last_job = _QUERIES.row(connection, "last_job", JobFacts)
        failed_jobs = tuple(_QUERIES.rows(connection, "failed_jobs", JobFacts))
    return newest_age_seconds(connection, clock), last_job, failed_jobs


def newest_age_seconds(connection: Connection, clock: Clock) -> float | None:
    """The age of the newest row by its event_time; None where there is no row."""
    # One day is nearly always enough; a search through hundreds of days takes a hundred times as long.
    for since in (clock.now() - RECENT, "-infinity"):
        with transaction(connection):
            age = _QUERIES.value_or_none(connection, "newest_age", float, since=since)
        if age is not None:
            return age
    return None
