"""The network between the consumer and a server fails: it goes on by itself, and nothing is lost or doubled."""

import shutil
import time
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from tests.support.consumer_process import ConsumerProcess
from tests.support.drills import TIMEOUT_SECONDS, choose, seconds_until_all_flow
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import assert_exactly_once, load, next_offsets
from tests.support.network import FAULTS, fault
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

FAULT_SECONDS = choose(2, 60)
# A connection that gets no answer is given up after 30 s, the next attempt is 5 s away, a session lasts 10 s.
FLOW_LIMIT_SECONDS = 60


def test_consumer_goes_on_after_each_fault_of_the_network_to_postgres(
    database: Database, kafka: KafkaServer, postgres: PostgresServer, topic: str
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        suffer_each_fault(process, database, kafka, topic, postgres.port)


def test_consumer_goes_on_after_each_fault_of_the_network_to_kafka(
    database: Database, kafka: KafkaServer, topic: str, tmp_path: Path
) -> None:
    kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.TOPIC, topic)
    kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.GROUP, f"group-of-{topic}")
    for passfile in database.server.credentials.iterdir():
        shutil.copy2(passfile, tmp_path)
    (tmp_path / "kafka-consumer").write_text(kafka.password, encoding="utf-8")
    # Who logs in uses another port than the load, which goes on.
    changes = {"CREDENTIALS_DIRECTORY": str(tmp_path), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": kafka.sasl_bootstrap_servers}
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as process:
        suffer_each_fault(process, database, kafka, topic, int(kafka.sasl_bootstrap_servers.rpartition(":")[2]))


def suffer_each_fault(process: ConsumerProcess, database: Database, kafka: KafkaServer, topic: str, port: int) -> None:
    process.wait_until_ready()
    with load(kafka, topic) as sent:
        time.sleep(1)
        for name in FAULTS:
            with fault(name, port):
                # What has got through already is stored.
                time.sleep(1)
                stored = next_offsets(database)
                time.sleep(FAULT_SECONDS - 1)
                assert name == "30 % loss" or next_offsets(database) == stored, f"{name} has no effect"
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS)
            print(f"{name} for {FAULT_SECONDS} s: rows of all partitions again after {seconds:.1f} s")

    assert_exactly_once(database, sent)
    assert "ended with status" not in process.text
