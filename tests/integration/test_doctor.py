"""What the doctor sees of real servers, and what it makes of it."""

import json
import os
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from lambda_app.core.operate.doctor.checks import diagnose
from lambda_app.core.operate.doctor.facts import Answer, Blocker, HostFacts
from lambda_app.database.connection import READER, STREAM, connect
from lambda_app.host.clock import SystemClock
from lambda_app.operate.doctor import gather, servers
from lambda_app.operate.migrations import missing_migrations
from lambda_app.settings import Settings
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.processes import wait_until
from tests.support.program import run_program


class Impatient(SystemClock):
    """Does not really sleep."""

    skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds


@pytest.fixture
def credentials(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The passwords of all roles, and a login of Kafka that nobody asks for."""
    directory = tmp_path / "credentials"
    shutil.copytree(database.environment["CREDENTIALS_DIRECTORY"], directory)
    for user in ("consumer", "producer"):
        (directory / f"kafka-{user}").write_text("unused\n")
    for name, value in {**database.environment, "CREDENTIALS_DIRECTORY": str(directory)}.items():
        monkeypatch.setenv(name, value)
    return directory


@pytest.fixture
def config(kafka: KafkaServer, topic: str) -> Settings:
    return Settings(kafka.bootstrap_servers, topic, "PLAINTEXT")


def look(config: Settings, wanted_partitions: int | None = 4) -> HostFacts:
    """What the servers say, on a host without units."""
    return gather.ask_servers(HostFacts(wanted_partitions=wanted_partitions), {}, config, Impatient())


def causes(facts: HostFacts) -> list[str]:
    return [each.finding.cause for each in diagnose(facts)]


def test_servers_that_are_well_give_no_cause(credentials, config):
    facts = look(config)

    assert causes(facts) == []
    assert [(each.user, each.answer) for each in facts.logins] == [
        (user, Answer.GOOD)
        for user in (
            "lambda_reader",
            "lambda_stream",
            "lambda_batch",
            "lambda_owner",
            "lambda-consumer",
            "lambda-producer",
        )
    ]
    assert facts.clock.offset_seconds == pytest.approx(0, abs=1)


def test_a_host_without_credentials_asks_nobody(credentials, config):
    for path in credentials.iterdir():
        path.unlink()

    assert look(config) == HostFacts(wanted_partitions=4, clock=look(config).clock)


def test_wrong_password_is_named(credentials, config):
    (credentials / "pgpass-stream").write_text("*:*:*:lambda_stream:wrong\n")

    assert causes(look(config)) == [
        (
            "PostgreSQL refuses lambda_stream: the password in /etc/lambda/credentials/pgpass-stream"
            " is not the one that PostgreSQL has"
        )
    ]


def test_server_that_is_away_is_one_cause(credentials, config):
    away = Settings("localhost:1", config.kafka_topic, "PLAINTEXT")

    (cause,) = causes(look(away))

    assert cause.startswith("Kafka does not answer, on its own host: Kafka is away: no connection to localhost:1")


def test_topic_that_is_not_there_is_named(credentials, config):
    missing = Settings(config.kafka_bootstrap_servers, "nowhere", "PLAINTEXT")

    assert causes(look(missing)) == ["Kafka has no topic nowhere, or hides it from lambda-consumer"]


def test_partitions_that_are_missing_are_named(credentials, config):
    assert causes(look(config, 6)) == [f"the topic {config.kafka_topic} has 4 partitions where the inventory says 6"]


def test_partition_that_nobody_reads_is_named(credentials, config, kafka, database):
    kafka.produce(config.kafka_topic, [b"{}"] * 12)
    database.query(
        "INSERT INTO lambda.stream_offsets (topic, partition, next_offset)"
        f" VALUES ('{config.kafka_topic}', 0, 3), ('{config.kafka_topic}', 1, 3), ('{config.kafka_topic}', 2, 1)"
    )

    assert causes(look(config)) == [
        f"partition 2, 3 of {config.kafka_topic} is not read: 5 records wait and none is stored"
    ]


def test_position_that_moves_while_it_is_watched_is_no_cause(credentials, config, kafka, database):
    class Moving(Impatient):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            database.query("UPDATE lambda.stream_offsets SET next_offset = next_offset + 1")

    kafka.produce(config.kafka_topic, [b"{}"] * 12)
    rows = ", ".join(f"('{config.kafka_topic}', {partition}, 0)" for partition in range(4))
    database.query(f"INSERT INTO lambda.stream_offsets (topic, partition, next_offset) VALUES {rows}")

    assert causes(gather.ask_servers(HostFacts(), {}, config, Moving())) == []


def test_missing_migrations_are_named_and_not_applied(credentials, config, database):
    newest = str(database.value("SELECT max(migration_id) FROM lambda_migrations._yoyo_migration"))
    database.query(f"DELETE FROM lambda_migrations._yoyo_migration WHERE migration_id = '{newest}'")

    assert causes(look(config)) == [f"the schema lacks migrations: {newest}"]
    assert missing_migrations() == [newest]


def test_database_that_was_never_migrated_lacks_all(empty_database):
    names = missing_migrations()

    assert names[0] == "0001_create_tables"
    assert names == sorted(names)
    assert empty_database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'lambda_migrations'") == 0


def test_database_that_takes_no_rows_is_named(credentials, config, database):
    database.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")

    assert causes(look(config)) == ["PostgreSQL is read-only (default_transaction_read_only): nothing is stored"]


def test_session_in_the_way_is_named(credentials, config, database):
    with closing(database.server.connect(database.name)) as blocking:
        process = blocking.info.backend_pid
        blocking.cursor().execute("BEGIN; LOCK TABLE lambda.dead_letters IN ACCESS EXCLUSIVE MODE")
        waiting = threading.Thread(target=_write_a_letter)
        waiting.start()
        found = _blockers_of_somebody()
    waiting.join()

    assert [(each.process, list(each.waiting)) for each in found] == [(process, ["lambda_stream"])]


def _write_a_letter() -> None:
    with closing(connect(STREAM)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lambda.dead_letters")


def _blockers_of_somebody() -> list[Blocker]:
    with closing(connect(READER)) as connection:
        wait_until(lambda: servers.read_blockers(connection) != {}, what="a session that waits")
        return list(servers.read_blockers(connection).values())


def test_letters_and_jobs_are_counted(credentials, config, database):
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, status, error)"
        " VALUES ('2026-11-23', 'generated', 'failed', 'disk full')"
    )
    database.query(
        'INSERT INTO lambda.dead_letters (topic, partition, "offset", raw, reason)'
        " VALUES ('t', 0, 1, 'x', 'not JSON'), ('t', 0, 2, 'x', 'not JSON')"
    )

    assert causes(look(config)) == [
        "BAT00001 for 2026-11-23 was given up: disk full",
        "2 dead letters are open: retry them when they would be valid now, or discard them",
    ]


def test_json_says_the_same_and_the_exit_status_follows(credentials, config, database, tmp_path):
    (tmp_path / "components.json").write_text("{}")
    environment = {
        **os.environ,
        "LAMBDA_COMPONENTS_FILE": str(tmp_path / "components.json"),
        "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": config.kafka_bootstrap_servers,
        "LAMBDA_KAFKA_TOPIC": config.kafka_topic,
        "LAMBDA_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        "STATE_DIRECTORY": str(tmp_path),
    }

    result = run_program(environment, "doctor", "--json", "--partitions", "6")
    text = run_program(environment, "doctor", "--partitions", "6")

    assert (result.returncode, text.returncode) == (1, 1), result.stderr
    document = json.loads(result.stdout)
    assert document["healthy"] is False
    assert {
        "about": "partitions",
        "cause": f"the topic {config.kafka_topic} has 4 partitions where the inventory says 6",
        "command": f"kafka-topics --alter --topic {config.kafka_topic} --partitions 6",
        "where": "host",
        "mends": True,
        "consequences": [],
    } in document["causes"]
    assert f"  mend: kafka-topics --alter --topic {config.kafka_topic} --partitions 6\n" in text.stdout
