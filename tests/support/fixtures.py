"""Servers once a session, a database and a topic of its own for each test."""

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambda_app.operate import migrations
from tests.support.kafka_server import KafkaServer
from tests.support.postgres_server import PostgresServer
from tests.support.processes import directory

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A migrated database, and how programs find it."""

    server: PostgresServer
    name: str
    service_file: Path

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Runs a statement as the superuser."""
        return self.server.execute(statement, self.name)

    def value(self, statement: str) -> object:
        """The one value that a statement gives."""
        return self.query(statement)[0][0]

    def count(self, table: str, where: str = "true") -> int:
        return int(str(self.value(f"SELECT count(*) FROM lambda.{table} WHERE {where}")))

    def skip_nights(self) -> None:
        """No night is due: files alone are jobs."""
        self.query(
            "INSERT INTO lambda.batch_jobs (business_date, source, status)"
            " VALUES (current_date - 1, 'generated', 'completed')"
        )

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a program that shall use this database."""
        return {
            **os.environ,
            "PGSERVICEFILE": str(self.service_file),
            "CREDENTIALS_DIRECTORY": str(self.server.credentials),
        }


def make_template(postgres: PostgresServer) -> str:
    """Migrates a database to be copied; gives its name."""
    name = "template_lambda"
    postgres.create_database(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGSERVICEFILE", str(postgres.service_file(name)))
        patch.setenv("CREDENTIALS_DIRECTORY", str(postgres.credentials))
        migrations.migrate()
    return name


@contextmanager
def primary_and_standby() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary with a migrated database, and its standby."""
    with directory("lambda-primary-") as first, directory("lambda-standby-") as second:
        primary, standby = PostgresServer(first), PostgresServer(second)
        try:
            primary.create()
            make_template(primary)
            standby.create_standby_of(primary)
            yield primary, standby
        finally:
            standby.stop()
            primary.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with directory("lambda-postgres-") as path:
        server = PostgresServer(path)
        try:
            server.create()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    with directory("lambda-kafka-") as path:
        server = KafkaServer(path)
        try:
            server.create()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> str:
    """A migrated database that tests copy."""
    return make_template(postgres)


@pytest.fixture
def empty_database(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database as the installation leaves it: roles, no schema."""
    yield from _database(postgres, "template0", monkeypatch)


@pytest.fixture
def database(postgres: PostgresServer, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database; the programs' own connections of this process go there."""
    yield from _database(postgres, template, monkeypatch)


@pytest.fixture
def topic(kafka: KafkaServer) -> str:
    """A topic of four partitions."""
    name = f"transactions-{next(_numbers)}"
    kafka.create_topic(name)
    return name


@pytest.fixture
def rng() -> random.Random:
    """Chance that can be repeated: LAMBDA_TEST_SEED=N."""
    seed = int(os.environ.get("LAMBDA_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"LAMBDA_TEST_SEED={seed}")
    return random.Random(seed)


def _database(server: PostgresServer, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    name = f"lambda_{next(_numbers)}"
    server.create_database(name, template)
    made = Database(server, name, server.service_file(name))
    monkeypatch.setenv("PGSERVICEFILE", str(made.service_file))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(server.credentials))
    yield made
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
