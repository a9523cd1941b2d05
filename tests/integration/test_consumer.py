"""The consumer against real servers: what is stored, what is refused and why, what it says."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import wait_for_offsets
from tests.support.messages import BAD_MESSAGES, message, messages
from tests.support.processes import free_port, wait_until
from tests.support.recount import recount, served


@pytest.fixture
def consumer(database: Database, kafka: KafkaServer, topic: str) -> Iterator[ConsumerProcess]:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        yield process


def test_consumer_stores_each_message_once(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, list(messages(5000)))

    wait_for_offsets(database, 5000)

    assert database.count("transactions") == 5000
    assert database.count("transactions", "ingestion_type = 'STREAM'") == 5000
    assert database.value("SELECT sum(stored_count) FROM lambda.stream_offsets") == 5000
    assert database.count("stream_offsets", "topic_id IS NOT NULL AND length(last_hash) = 16") == 4
    assert database.count("dead_letters") == 0


def test_consumer_keeps_valid_neighbours_of_bad_messages(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    values = [value for bad, _ in BAD_MESSAGES for value in (message(), bad, message())]

    kafka.produce(topic, values, partition=0)

    wait_for_offsets(database, len(values))
    letters = database.query('SELECT partition, "offset", raw, reason FROM lambda.dead_letters ORDER BY "offset"')
    assert database.count("transactions") == 2 * len(BAD_MESSAGES)
    assert [(letter[0], letter[1]) for letter in letters] == [(0, 3 * n + 1) for n in range(len(BAD_MESSAGES))]
    for (raw, reason), letter in zip(BAD_MESSAGES, letters, strict=True):
        assert (letter[2] and bytes(letter[2])) == raw  # type: ignore[call-overload]
        assert str(letter[3]).startswith(reason)
    counters = "SELECT stored_count, dead_letter_count FROM lambda.stream_offsets WHERE partition = 0"
    assert database.query(counters) == [(2 * len(BAD_MESSAGES), len(BAD_MESSAGES))]


def test_consumer_takes_a_chunk_of_nothing_but_bad_messages(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, [b"rubbish"] * 1000)

    wait_for_offsets(database, 1000)

    assert (database.count("transactions"), database.count("dead_letters")) == (0, 1000)


def test_burst_of_bad_messages_makes_a_line_a_second_and_counts_them_all(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    before, started = len(consumer.text.splitlines()), time.monotonic()

    kafka.produce(topic, [b"rubbish"] * 10_000)
    wait_for_offsets(database, 10_000)

    def counts() -> list[int]:
        return [int(count) for count in re.findall(r"became dead letters: (\d+) \(not_json", consumer.text)]

    wait_until(lambda: sum(counts()) == 10_000, what="the log counting them all")
    seconds = time.monotonic() - started
    assert len(consumer.text.splitlines()) - before <= seconds + 1
    assert database.count("dead_letters") == 10_000


def test_consumer_recognises_a_message_that_was_sent_again(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    batch = list(messages(500))
    kafka.produce(topic, batch)
    wait_for_offsets(database, 500)

    kafka.produce(topic, batch[:100] + list(messages(50)))

    wait_for_offsets(database, 650)
    assert database.count("transactions") == 550
    assert database.value("SELECT sum(duplicate_count) FROM lambda.stream_offsets") == 100
    assert database.value("SELECT sum(stored_count) FROM lambda.stream_offsets") == 550


def test_consumer_stores_a_quiet_stream_at_once(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, [message()])
    wait_for_offsets(database, 1)

    kafka.produce(topic, [message()], partition=1)
    delay = "SELECT extract(epoch FROM ingested_at - event_time) FROM lambda.transactions ORDER BY ingested_at DESC"
    wait_for_offsets(database, 2)

    # event_time is the moment when the test made the message: the producer's own time is in it.
    assert float(str(database.value(delay))) < 1


def test_consumer_shows_its_state_to_systemd_and_its_offsets_to_kafka(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, list(messages(1000)))

    pattern = re.compile(r"STATUS=[\d,]+ rows/s, lag 0, 4 partitions, 2 workers$")
    wait_until(lambda: any(pattern.match(text) for text in consumer.notifications), what="a STATUS with lag 0")

    def committed() -> int:
        with kafka.admin() as admin:
            group = admin.list_group_offsets(f"group-of-{topic}")[f"group-of-{topic}"]
            return sum(position.offset for position in group.values())

    wait_until(lambda: committed() == 1000, what="offsets in Kafka")


def test_consumer_drains_on_sigterm(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, list(messages(2000)))
    started = time.monotonic()

    status = consumer.terminate()

    assert status == 0, consumer.text
    assert time.monotonic() - started < 10
    assert "STOPPING=1" in consumer.notifications
    consumed = database.value("SELECT sum(next_offset) FROM lambda.stream_offsets")
    assert database.count("transactions") == consumed
    assert "ERROR" not in consumer.text


def test_consumer_follows_a_new_topic_of_the_same_name_and_says_so(
    database: Database, kafka: KafkaServer, topic: str, consumer: ConsumerProcess
) -> None:
    kafka.produce(topic, list(messages(100)), partition=0)
    wait_for_offsets(database, 100)

    kafka.delete_topic(topic)
    time.sleep(1)
    kafka.create_topic(topic)
    kafka.produce(topic, list(messages(150)), partition=0)

    wait_until(lambda: database.count("transactions") == 250, 60, "the messages of the new topic")
    gap = "SELECT from_offset, to_offset, reason FROM lambda.stream_gaps WHERE partition = 0"
    assert database.query(gap) == [(100, None, "the topic was deleted and recreated")]


def test_consumer_records_what_retention_removed(database: Database, kafka: KafkaServer, topic: str) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        kafka.produce(topic, list(messages(100)), partition=0)
        wait_for_offsets(database, 100)
        process.terminate()
    kafka.produce(topic, list(messages(50)), partition=0)
    kafka.delete_records(topic, 0, 130)

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        wait_until(lambda: database.count("transactions") == 120, what="the rest of the messages")

        assert "Gap in" in process.text
    gap = "SELECT partition, from_offset, to_offset, reason FROM lambda.stream_gaps"
    assert database.query(gap) == [(0, 100, 130, "removed by retention before it was read")]


@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        ("LAMBDA_KAFKA_TOPIC", "no-such-topic", "Kafka has no topic no-such-topic"),
        ("LAMBDA_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "needs the credential kafka-consumer"),
    ],
)
def test_consumer_ends_with_one_line_when_no_waiting_can_help(
    database: Database, kafka: KafkaServer, topic: str, setting: str, value: str, line: str
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes={setting: value}) as process:
        status = process.process.wait(30)

        assert status in (os.EX_NOPERM, os.EX_CONFIG)
        assert process.text.count(line) == 1
        assert "Traceback" not in process.text
        assert "READY=1" not in process.notifications


def scram(kafka: KafkaServer, tmp_path: Path, password: str) -> dict[str, str]:
    """Environment of a consumer that logs in with a password."""
    for passfile in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir():
        shutil.copy2(passfile, tmp_path)
    (tmp_path / "kafka-consumer").write_text(password, encoding="utf-8")
    return {"CREDENTIALS_DIRECTORY": str(tmp_path), "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": kafka.sasl_bootstrap_servers}


def test_consumer_logs_in_and_needs_no_rights_but_to_read(
    database: Database, kafka: KafkaServer, topic: str, tmp_path: Path
) -> None:
    changes = scram(kafka, tmp_path, kafka.password)

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as process:
        assert process.process.wait(30) == os.EX_NOPERM
        assert process.text.count(f"Kafka has no topic {topic}, or does not show it to this user") == 1

    kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.TOPIC, topic)
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as process:
        assert process.process.wait(30) == os.EX_NOPERM
        assert process.text.count(f"refuses this user the consumer group group-of-{topic}") == 1
        assert "Traceback" not in process.text

    kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.GROUP, f"group-of-{topic}")
    kafka.produce(topic, list(messages(100)))
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as process:
        process.wait_until_ready()
        wait_for_offsets(database, 100)
        assert process.terminate() == 0


def test_consumer_waits_for_kafka_and_stops_when_told_to(database: Database) -> None:
    with ConsumerProcess(database.environment, f"127.0.0.1:{free_port()}", "transactions") as process:
        wait_until(lambda: "Waiting: Kafka is away" in process.text, 40, "the word that Kafka is away")

        assert process.terminate() == 0
        assert "READY=1" not in process.notifications


def test_consumers_of_two_hosts_share_the_work_and_no_shard(database: Database, kafka: KafkaServer, topic: str) -> None:
    hosts = [{"LAMBDA_CONSUME_MEMBER": name} for name in ("host-a", "host-b")]
    with (
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=hosts[0]) as one,
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=hosts[1]) as other,
    ):
        for process in (one, other):
            process.wait_until_ready()

        def all_have_stored() -> bool:
            kafka.produce(topic, list(messages(200)))
            return database.value("SELECT count(DISTINCT shard) FROM lambda.speed_stats") == 4

        # The four workers share the four partitions as soon as the group has settled.
        wait_until(all_have_stored, 60, "a shard for each worker")

    members = database.query("SELECT member FROM lambda.speed_shards ORDER BY member")
    assert members == [("host-a-1",), ("host-a-2",), ("host-b-1",), ("host-b-2",)]
    assert served(database) == recount(database)


def test_consumer_refuses_a_member_that_kafka_would_not_take(database: Database, kafka: KafkaServer) -> None:
    changes = {"LAMBDA_CONSUME_MEMBER": "host a"}

    with ConsumerProcess(database.environment, kafka.bootstrap_servers, "transactions", changes=changes) as process:
        assert process.process.wait(30) == 2
        assert "letters, digits" in process.text


def test_message_of_the_tests_is_what_producers_send() -> None:
    assert set(json.loads(message())) >= {"transaction_id", "account_id", "transaction_type", "amount", "event_time"}
