"""Real servers for a benchmark, set as the roles set them: nothing is spared that a user pays for."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import psycopg2

from lambda_app.broker.sending import Outlet
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.transaction.identifiers import TransactionIds
from lambda_app.settings import Settings
from tests.benchmark.as_deployed import (
    initdb_options,
    kafka_java_options,
    kafka_settings,
    postgres_settings,
    prove,
)
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import make_template
from tests.support.kafka_server import KafkaServer
from tests.support.postgres_server import PostgresServer
from tests.support.processes import directory
from tests.support.program import COMMAND

PARTITIONS = 12


@dataclass(frozen=True)
class PlatformUnderTest:
    postgres: PostgresServer
    kafka: KafkaServer

    @contextmanager
    def database(self) -> Iterator[str]:
        """A migrated, empty database."""
        name = f"lambda_{time.time_ns()}"
        self.postgres.create_database(name, "template_lambda")
        # What the last run left to write shall not be written in this one.
        self.postgres.execute("CHECKPOINT")
        yield name
        self.postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def environment(self, database: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "PGSERVICEFILE": str(self.postgres.service_file(database)),
            "CREDENTIALS_DIRECTORY": str(self.postgres.credentials),
        }

    def consumer(
        self,
        database: str,
        topic: str,
        workers: int,
        changes: Mapping[str, str] = MappingProxyType({}),
        command: Sequence[str] = COMMAND,
    ) -> ConsumerProcess:
        group = {"LAMBDA_KAFKA_GROUP": database}
        return ConsumerProcess(
            self.environment(database), self.kafka.bootstrap_servers, topic, workers, {**group, **changes}, command
        )


@contextmanager
def running_platform() -> Iterator[PlatformUnderTest]:
    with directory("lambda-postgres-") as postgres_path, directory("lambda-kafka-") as kafka_path:
        settings = postgres_settings()
        postgres = PostgresServer(postgres_path, {**settings, "fsync": "on"}, initdb_options())
        kafka = KafkaServer(kafka_path, kafka_java_options(), kafka_settings())
        try:
            postgres.create()
            prove(postgres, settings)
            kafka.create()
            make_template(postgres)
            yield PlatformUnderTest(postgres, kafka)
        finally:
            kafka.stop()
            postgres.stop()


def fill_topic(
    kafka: KafkaServer,
    topic: str,
    count: int,
    partitions: int = PARTITIONS,
    message_bytes: int = 0,
    spread: timedelta | None = None,
) -> None:
    """Puts generated transactions of the last hour into a new topic, uncompressed, some 20 a millisecond.

    Shorter messages than `message_bytes` are filled up by fields that the platform ignores. With a `spread` their times
    are random ones within so long before the last hour.
    """
    kafka.create_topic(topic, partitions)
    outlet = Outlet(Settings(kafka.bootstrap_servers, topic), linger_seconds=0.02, compression="none")
    generator = TransactionGenerator(draw_pools(), TransactionIds(1), seed=1)
    milliseconds = int(time.time() * 1000) - 3_600_000
    rng = random.Random(1)
    # Of long messages fewer at a time.
    turn = max(1, min(1000, 1_000_000 // max(1, message_bytes)))
    for place in range(0, count, turn):
        while outlet.outstanding > 50 * turn:
            outlet.settle()
            time.sleep(0.001)
        milliseconds += max(1, turn // 20)
        records = generator.generate(milliseconds, min(turn, count - place))
        if spread:
            records = (each._replace(event_time=_random_time(rng, milliseconds, spread)) for each in records)
        messages = [(each.account_id.encode(), filled_up(render_message(each), message_bytes)) for each in records]
        outlet.send(messages, milliseconds)
        outlet.settle()
    while outlet.outstanding:
        outlet.settle()
        time.sleep(0.01)
    outlet.close(5)


def _random_time(rng: random.Random, milliseconds: int, spread: timedelta) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC) - spread * rng.random()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def filled_up(message: bytes, length: int) -> bytes:
    """A message of at least so many bytes, and some 60 more at most."""
    missing = max(0, length - len(message))
    fields = [f',"ignored_{number:06}":"{number * 7919 % 10**40:040}"' for number in range(-(-missing // 60))]
    return message[:-1] + "".join(fields).encode() + b"}"


def consumed(connection: psycopg2.extensions.connection) -> int:
    """Messages whose fate is committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(next_offset), 0) FROM lambda.stream_offsets")
        return int(cursor.fetchone()[0])  # type: ignore[index]


def log_directory(kafka: KafkaServer) -> Path:
    return kafka.directory / "data"
