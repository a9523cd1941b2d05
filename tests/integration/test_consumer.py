"""The consumer against real servers: what is stored, what is refused, and why."""

from collections.abc import Iterator

import pytest
from conftest import Database
from consumer_process import ConsumerProcess
from messages import messages
from servers import KafkaServer, wait_until


@pytest.fixture
def consumer(database: Database, kafka: KafkaServer, topic: str) -> Iterator[ConsumerProcess]:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        yield process


def test_consumer_stores_each_message_once(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, list(messages(5000)))

    wait_until(lambda: database.count("transactions") >= 5000, what="5000 rows")

    assert database.count("transactions") == 5000
    assert database.value("SELECT sum(next_offset) FROM lambda.stream_offsets") == 5000
    assert database.value("SELECT sum(stored_count) FROM lambda.stream_offsets") == 5000
    assert database.count("dead_letters") == 0
