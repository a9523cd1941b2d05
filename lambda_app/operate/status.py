"""Gathers the facts about the platform from systemd, Kafka, PostgreSQL and the programs' metrics.

All are asked at once; for rates by two samples, one second apart. Changes nothing. Who does not answer in time becomes
an error among the facts.
"""

import socket
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from lambda_app.broker.topic import log_ends
from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.core.batch.job_files import INBOX
from lambda_app.core.operate.components import Component, parse_components
from lambda_app.core.operate.disks import with_pace
from lambda_app.core.operate.health import JobFacts, PlatformFacts, StreamFacts, UnitFacts
from lambda_app.core.operate.hosts import BATCH, Hosts, parse_hosts
from lambda_app.core.operate.partitions import PartitionFacts, lag_seconds, partition_facts
from lambda_app.core.operate.units import unit_facts
from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.errors import InvalidConfiguration, LambdaError
from lambda_app.host.asking import Asked, NoAnswer
from lambda_app.host.clock import Clock
from lambda_app.host.disks import disks_of
from lambda_app.host.environment import batch_directory, lacks_credential
from lambda_app.operate.by_metrics import SAMPLE_SECONDS, MetricsFacts, MetricsQuestions
from lambda_app.operate.inbox import inbox_entries
from lambda_app.operate.units import show_units, with_use
from lambda_app.settings import Settings

T = TypeVar("T")
_QUERIES = Queries("status")
# Nobody is waited for longer, so that status itself answers within 5 s.
ANSWER_SECONDS = 4.0
KAFKA_CONNECT_MS = 2_500
# Where the platform keeps its data; one host has some of them.
DATA_DIRECTORIES = tuple(
    map(Path, ("/", "/var/lib/kafka", "/var/lib/postgresql", "/var/lib/lambda", "/var/lib/prometheus"))
)
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


@dataclass(frozen=True, slots=True)
class _DatabaseFacts:
    """What PostgreSQL says."""

    positions: _Positions
    rows_per_second: float
    newest_age_seconds: float | None
    last_job: JobFacts | None
    failed_jobs: tuple[JobFacts, ...]
    dead_letters_open: int


def read_hosts(path: Path) -> Hosts | None:
    """The list of hosts that was deployed to this one; None where there is none."""
    try:
        return parse_hosts(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfiguration(f"The list of hosts cannot be read: {error}") from error


def gather_facts(
    config: Settings, clock: Clock, table: tuple[Component, ...], hosts: Hosts | None = None
) -> PlatformFacts:
    """Takes a second or two, and ANSWER_SECONDS when something does not answer.

    Where the host has no password of the reader, the host of the batch is asked for what PostgreSQL knows.
    """
    until = clock.monotonic() + ANSWER_SECONDS
    known_hosts = hosts or Hosts(socket.gethostname(), {})
    is_reader = not lacks_credential("pgpass-reader")
    metrics_questions = MetricsQuestions(known_hosts, table, clock, wants_rates=not is_reader)
    units_asked = Asked({"systemd does not answer": partial(_units, table, clock)})
    ends_asked = Asked({"Kafka is away": partial(log_ends, config, KAFKA_CONNECT_MS)} if is_reader else {})
    database_asked = Asked({"PostgreSQL is away": partial(_database, config, clock, ends_asked)} if is_reader else {})
    errors: list[str] = []
    inbox = _inbox(clock, errors)
    disks = disks_of(known_hosts.here, DATA_DIRECTORIES)
    ends = _answer(ends_asked, until - clock.monotonic(), errors)
    database = _answer(database_asked, until - clock.monotonic(), errors)
    units = _answer(units_asked, until - clock.monotonic(), errors) or {}
    metrics = metrics_questions.facts(until)
    partitions = partition_facts(
        {name: each.scraped for name, each in metrics.consumers.items()},
        ends if database else None,
        database.positions.next_offsets if database else {},
    )
    batch = next((host.batch for host in metrics.other_hosts.values() if BATCH in host.groups), None)
    return PlatformFacts(
        table,
        units,
        stream=_stream(database, ends, partitions) if is_reader else _stream_by_metrics(metrics, partitions),
        last_job=database.last_job if database else None,
        failed_jobs=database.failed_jobs if database else (),
        errors=tuple(errors),
        inbox=inbox,
        hosts=hosts,
        other_hosts=metrics.other_hosts,
        partitions=partitions,
        silent_consumers=metrics.silent_consumers,
        dead_letters_open=database.dead_letters_open if database else batch.dead_letters_open if batch else None,
        disks=with_pace((*disks, *metrics.disks), metrics.disk_paces),
        alerts=metrics.alerts,
        why_no_alerts=metrics.why_no_alerts,
    )


def _answer(asked: Asked[T], seconds: float, errors: list[str]) -> T | None:
    """The answer of the one that was asked; what went wrong is added to the errors."""
    for name, answer in asked.answers(seconds).items():
        if not isinstance(answer, LambdaError):
            return answer
        errors.append(f"{name}: {answer}" if isinstance(answer, NoAnswer) else str(answer))
    return None


def _units(table: tuple[Component, ...], clock: Clock) -> dict[str, UnitFacts]:
    earlier, start = with_use(show_units(table)), clock.monotonic()
    clock.sleep(SAMPLE_SECONDS)
    later, seconds = with_use(show_units(table)), clock.monotonic() - start
    return {name: unit_facts(earlier.get(name), sample, seconds) for name, sample in later.items()}


def _database(config: Settings, clock: Clock, ends: Asked[dict[int, int]]) -> _DatabaseFacts:
    with closing(connect(READER, "lambda-status")) as connection:
        before, start = _positions(config, connection), clock.monotonic()
        clock.sleep(SAMPLE_SECONDS)
        # The log's ends come before the positions, so that a busy stream shows no false lag.
        ends.answers(ANSWER_SECONDS)
        after, seconds = _positions(config, connection), clock.monotonic() - start
        with transaction(connection):
            last_job = _QUERIES.row(connection, "last_job", JobFacts)
            failed_jobs = tuple(_QUERIES.rows(connection, "failed_jobs", JobFacts))
            dead_letters_open = _QUERIES.value(connection, "dead_letters_open", int)
        return _DatabaseFacts(
            positions=after,
            rows_per_second=(after.stored - before.stored) / seconds,
            newest_age_seconds=newest_age_seconds(connection, clock),
            last_job=last_job,
            failed_jobs=failed_jobs,
            dead_letters_open=dead_letters_open,
        )


def _stream(
    database: _DatabaseFacts | None, ends: dict[int, int] | None, partitions: tuple[PartitionFacts, ...]
) -> StreamFacts | None:
    if database is None:
        return None
    return StreamFacts(
        lag_records=None if ends is None else _lag(ends, database.positions),
        rows_per_second=database.rows_per_second,
        newest_age_seconds=database.newest_age_seconds,
        gaps=database.positions.gaps,
        lag_seconds=lag_seconds(partitions),
    )


def _stream_by_metrics(metrics: MetricsFacts, partitions: tuple[PartitionFacts, ...]) -> StreamFacts | None:
    """None unless the host of the batch answered: the age of the newest row is not guessed."""
    batch = next((host.batch for host in metrics.other_hosts.values() if host.batch), None)
    if batch is None:
        return None
    told = [each.lag_records for each in partitions if each.lag_records is not None]
    return StreamFacts(
        lag_records=None if metrics.silent_consumers or not told else sum(told),
        rows_per_second=sum(each.rows_per_second or 0.0 for each in metrics.consumers.values()),
        newest_age_seconds=batch.newest_age_seconds,
        gaps=batch.gaps,
        lag_seconds=None if metrics.silent_consumers else lag_seconds(partitions),
    )


def _inbox(clock: Clock, errors: list[str]) -> tuple[InboxEntry, ...]:
    try:
        return inbox_entries(batch_directory() / INBOX, clock)
    except LambdaError as error:
        errors.append(str(error))
        return ()


def _positions(config: Settings, connection: Connection) -> _Positions:
    with transaction(connection):
        positions = _QUERIES.rows(connection, "stream", _Position, topic=config.kafka_topic)
    return _Positions(
        next_offsets={each.partition: each.next_offset for each in positions},
        stored=sum(each.stored_count for each in positions),
        gaps=sum(each.gap_count > 0 for each in positions),
    )


def _lag(log_ends: dict[int, int], positions: _Positions) -> int:
    """Records behind."""
    return sum(max(0, end - positions.next_offsets.get(partition, 0)) for partition, end in log_ends.items())


def newest_age_seconds(connection: Connection, clock: Clock) -> float | None:
    """The age of the newest row by its event_time; None where there is no row."""
    # One day is nearly always enough; a search through hundreds of days takes a hundred times as long.
    for since in (clock.now() - RECENT, "-infinity"):
        with transaction(connection):
            age = _QUERIES.value_or_none(connection, "newest_age", float, since=since)
        if age is not None:
            return age
    return None
