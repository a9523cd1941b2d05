"""Kafka and PostgreSQL, asked as the programs of this host ask them: with each login that its credentials hold."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from lambda_app.broker.client import CONSUMER, PRODUCER
from lambda_app.broker.topic import log_ends, partition_count
from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import Answer, Blocker, DatabaseState, Login, Topic
from lambda_app.core.operate.health import JobFacts
from lambda_app.database.connection import BATCH, OWNER, READER, STREAM, Connection, connect, transaction
from lambda_app.database.queries import Queries
from lambda_app.errors import AccessRefused, InvalidConfiguration, LambdaError, TopicMissing
from lambda_app.host.clock import Clock
from lambda_app.host.environment import credential_path
from lambda_app.host.programs import output
from lambda_app.operate.migrations import missing_migrations
from lambda_app.settings import Settings

_QUERIES = Queries("doctor")
_STATUS_QUERIES = Queries("status")


@dataclass(frozen=True, slots=True)
class _Position:
    """A partition of the topic in stream_offsets."""

    partition: int
    next_offset: int


def postgres_logins() -> Iterator[Login]:
    """Each role of which this host has the password; the rest is left out once the server is away."""
    for service in (READER, STREAM, BATCH, OWNER):
        credential = "pgpass-" + service.removeprefix("lambda-")
        login = _login(things.POSTGRESQL, service.replace("-", "_"), credential, partial(_connect, service))
        if login:
            yield login
            if login.answer is Answer.AWAY:
                return


def kafka_logins(config: Settings) -> Iterator[Login]:
    """The same for the users of Kafka."""
    for user in (CONSUMER, PRODUCER):
        credential = "kafka-" + user.removeprefix("lambda-")
        login = _login(things.KAFKA, user, credential, partial(_see_topic, config, user))
        if login:
            yield login
            if login.answer is Answer.AWAY:
                return


def _connect(service: str) -> None:
    connect(service, "lambda-doctor").close()


def _see_topic(config: Settings, user: str) -> None:
    try:
        partition_count(config, user)
    except TopicMissing:
        # The login was good: the topic is another check's.
        return


def _login(server: str, user: str, credential: str, attempt: Callable[[], None]) -> Login | None:
    if credential_path(credential) is None:
        return None
    try:
        attempt()
    except AccessRefused as error:
        return Login(server, user, credential, Answer.REFUSED, str(error))
    except InvalidConfiguration as error:
        return Login(server, user, credential, Answer.MISCONFIGURED, str(error))
    except LambdaError as error:
        return Login(server, user, credential, Answer.AWAY, str(error))
    return Login(server, user, credential, Answer.GOOD)


class TopicSampler:
    """The topic's records that were there at the beginning, against the positions later."""

    def __init__(self, config: Settings, has_broker: bool) -> None:
        self._config = config
        self._ends: dict[int, int] | None = None
        self._exists: bool | None = None
        self._first: dict[int, int] | None = None
        try:
            self._ends = log_ends(config)
        except TopicMissing:
            # The administrator of a host with a broker sees all topics.
            self._exists = config.kafka_topic in output(["kafka-topics", "--list"]).split() if has_broker else None

    def look(self, connection: Connection | None) -> Topic:
        """The topic now; the first look is what later ones are compared with."""
        if self._ends is None:
            return Topic(self._config.kafka_topic, None, self._exists)
        count = len(self._ends)
        if connection is None:
            return Topic(self._config.kafka_topic, count)
        with transaction(connection):
            rows = _QUERIES.rows(connection, "positions", _Position, topic=self._config.kafka_topic)
        now = {each.partition: each.next_offset for each in rows}
        if self._first is None:
            self._first = now
        waiting = {partition: end - now.get(partition, 0) for partition, end in self._ends.items()}
        moved = frozenset(partition for partition in now if now[partition] != self._first.get(partition, 0))
        return Topic(
            self._config.kafka_topic,
            count,
            waiting={partition: records for partition, records in waiting.items() if records > 0},
            moved=moved,
        )


def read_blockers(connection: Connection) -> dict[int, Blocker]:
    """Sessions that the platform's programs wait for now, by their process."""
    with transaction(connection):
        rows = _QUERIES.rows(connection, "blockers", Blocker)
    return {each.process: each for each in rows}


def clock_offset(connection: Connection, clock: Clock) -> float:
    """Seconds by which this host's clock is ahead of the server's."""
    before = clock.now().timestamp()
    with transaction(connection):
        server = _QUERIES.value(connection, "seconds", float)
    return (before + clock.now().timestamp()) / 2 - server


def database_state(connection: Connection, blockers: tuple[Blocker, ...]) -> DatabaseState:
    """What PostgreSQL holds that needs a person."""
    missing, is_read_only = _owner_sees()
    with transaction(connection):
        return DatabaseState(
            tuple(missing),
            is_read_only,
            blockers,
            _QUERIES.value(connection, "open_letters", int),
            tuple(_STATUS_QUERIES.rows(connection, "failed_jobs", JobFacts)),
        )


def _owner_sees() -> tuple[list[str], bool]:
    """Missing migrations, and whether the database takes no rows: on the host that has the owner's password."""
    if credential_path("pgpass-owner") is None:
        return [], False
    try:
        missing = missing_migrations()
        with closing(connect(OWNER, "lambda-doctor")) as connection, transaction(connection):
            return missing, _QUERIES.value(connection, "read_only", bool)
    except LambdaError:
        # A login that is refused is a finding of its own.
        return [], False
