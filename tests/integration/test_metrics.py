"""The metrics of the programs, scraped while they work."""

import os
import signal

from lambda_app.errors import InvalidConfiguration
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import wait_for_offsets
from tests.support.messages import messages
from tests.support.processes import free_port, wait_until
from tests.support.program import Program
from tests.support.scrape import scrape

REASONS = {b"rubbish": "not_json", b'{"transaction_id": 5}': "transaction_id"}


def test_consumer_counts_what_it_stores_through_the_end_of_a_worker(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    changes = {"LAMBDA_CONSUME_METRICS_ADDRESS": address}
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as consumer:
        consumer.wait_until_ready()
        valid = list(messages(200))
        kafka.produce(topic, [*valid, *valid[:50], *REASONS])
        wait_for_offsets(database, 252)
        wait_until(lambda: scrape(address)["lambda_consumer_chunk_messages_sum",] == 252, what="what both workers did")
        before = scrape(address)
        os.kill(consumer.workers()[0], signal.SIGKILL)
        wait_until(lambda: scrape(address)["lambda_consumer_worker_ends_total",] == 1, what="the end of the worker")
        wait_until(lambda: scrape(address)["lambda_consumer_workers",] == 2, 30, "the next worker")
        kafka.produce(topic, list(messages(100)))
        wait_for_offsets(database, 352)
        wait_until(lambda: scrape(address)["lambda_consumer_rows_total",] == 300, what="the rows of both lives")
        after = scrape(address)
        assert consumer.terminate() == 0

    assert before["lambda_consumer_duplicates_total",] == 50
    for reason in REASONS.values():
        assert before["lambda_consumer_dead_letters_total", reason] == 1
    assert before["lambda_consumer_bytes_total",] == sum(map(len, [*valid, *valid[:50], *REASONS]))
    assert after["lambda_consumer_commits_total",] == after["lambda_consumer_chunk_messages_count",]
    assert after["lambda_consumer_chunk_messages_sum",] == 352
    assert 0 < after["lambda_consumer_event_to_row_seconds_count",] <= 300
    lags = {key[1:]: value for key, value in after.items() if key[0] == "lambda_consumer_lag_records"}
    assert {partition for partition, _ in lags} == {"0", "1", "2", "3"}
    assert {worker for _, worker in lags} == {"1", "2"}
    assert set(lags.values()) == {0}
    assert sum(value for key, value in after.items() if key[0] == "lambda_consumer_next_offset") == 352
    # What counted goes on from where it was.
    assert all(after[key] >= value for key, value in before.items() if key[0].endswith("_total"))


def test_consumer_says_whom_it_waits_for(database: Database, kafka: KafkaServer, topic: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    changes = {"LAMBDA_CONSUME_METRICS_ADDRESS": address, "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes):
        wait_until(
            lambda: scrape(address)["lambda_consumer_waiting_workers", "kafka"] == 2, 40, "workers that wait for Kafka"
        )
        seen = scrape(address)

    assert seen["lambda_consumer_waiting_workers", "postgresql"] == 0
    assert seen["lambda_consumer_retries_total", "kafka"] >= 2
    assert seen["lambda_consumer_workers",] == 0


def test_producer_counts_what_kafka_acknowledged(database: Database, kafka: KafkaServer, topic: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LAMBDA_KAFKA_TOPIC": topic,
        "LAMBDA_PRODUCE_RATE": "200",
        "LAMBDA_PRODUCE_METRICS_ADDRESS": address,
    }
    with Program({**database.environment, **settings}, "produce") as producer:
        producer.wait_until_ready()
        wait_until(lambda: scrape(address)["lambda_producer_acknowledged_total",] >= 100, what="records")
        seen = scrape(address)
        assert producer.terminate() == 0

    assert seen["lambda_producer_sent_total",] >= seen["lambda_producer_acknowledged_total",]
    assert seen["lambda_producer_lost_total",] == seen["lambda_producer_retries_total",] == 0


def test_address_that_is_taken_ends_the_consumer_with_the_reason(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    address = kafka.bootstrap_servers
    changes = {"LAMBDA_CONSUME_METRICS_ADDRESS": address}
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=changes) as consumer:
        assert consumer.process.wait(30) == InvalidConfiguration.exit_status
        assert f"Metrics cannot be served at '{address}'" in consumer.text
