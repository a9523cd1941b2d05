"""Another transaction under the id and time of a stored one: a dead letter, by every way in, and accounted for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import next_offsets
from tests.support.messages import message, messages
from tests.support.processes import wait_until
from tests.support.program import run_program
from tests.support.recount import recount, served

TIME = "2026-06-15T12:00:00+00:00"
REASON = "conflicts with the stored transaction of this id and time: amount is 12.00, stored is 10.00"


def sent(amount: float) -> bytes:
    """A message of one id and time."""
    return message(transaction_id="T1", event_time=TIME, amount=amount)


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "inbox").mkdir()
    return {
        **database.environment,
        **kafka.environment(topic),
        "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0.2",
        "STATE_DIRECTORY": str(tmp_path),
    }


@pytest.fixture
def consume(database: Database, kafka: KafkaServer, topic: str, environment: dict[str, str]) -> Iterator[object]:
    """Sends messages, and waits until a consumer has stored all of the topic."""

    def send(values: list[bytes]) -> None:
        kafka.produce(topic, values, partition=0)
        with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as consumer:
            wait_until(lambda: next_offsets(database) == kafka.log_ends(topic), what="all messages consumed")
            assert consumer.terminate() == 0

    return send


def counters(database: Database) -> list[tuple[object, ...]]:
    columns = "stored_count, duplicate_count, dead_letter_count, rewound_count"
    return database.query(f"SELECT {columns} FROM lambda.stream_offsets WHERE partition = 0")


def letters(database: Database) -> list[tuple[object, ...]]:
    return database.query('SELECT "offset", line, reason, resolution FROM lambda.dead_letters ORDER BY id')


def assert_exact(environment: dict[str, str], database: Database) -> None:
    audit = run_program(environment, "verify")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert served(database) == recount(database)


def test_conflict_is_one_dead_letter_and_a_retry_leaves_it_open(database, environment, consume) -> None:
    consume([sent(10), *messages(3), sent(12), sent(10)])

    assert counters(database) == [(4, 1, 1, 0)]
    assert letters(database) == [(4, None, REASON, None)]
    assert_exact(environment, database)

    retried = run_program(environment, "dead-letters", "retry", "--all-open")

    assert retried.returncode == 1
    assert "stored 0, duplicate 0, still open 1: conflicts with the stored transaction of this id and time (1)" in (
        " ".join(retried.stderr.split())
    )
    assert letters(database) == [(4, None, REASON, None)]
    assert_exact(environment, database)


def test_log_that_is_read_again_leaves_one_letter_of_a_conflict(database, environment, consume) -> None:
    consume([sent(10), sent(12), *messages(3)])
    # As when the log was cut off: it is read from its start.
    database.query(
        "UPDATE lambda.stream_offsets SET next_offset = 0, last_hash = NULL, rewound_count = next_offset"
        " WHERE partition = 0"
    )

    consume([sent(12)])

    assert counters(database) == [(4, 5, 2, 5)]
    assert letters(database) == [(1, None, REASON, None), (5, None, REASON, None)]
    assert_exact(environment, database)


def test_line_that_conflicts_is_rejected_and_its_neighbours_are_loaded(
    database, environment, consume, tmp_path: Path
) -> None:
    consume([sent(10)])
    place = f'ACC-00001,purchase,{TIME},grocery,"Springfield, IL",true'
    lines = [
        "transaction_id,amount,risk_score,account_id,transaction_type,event_time,merchant_category,location,card_present",
        # Another spelling is the same content.
        *(f"T1,{numbers},{place}" for numbers in ("10.0,0.350", "12,0.35")),
        *(f"T2,1.00,{score},A1,refund,{TIME},,," for score in ("", "", "0")),
    ]
    (tmp_path / "inbox" / "day.csv").write_text("\n".join(lines), encoding="utf-8")

    for command in ("schedule", "run"):
        assert run_program(environment, "batch", command).returncode == 0

    columns = "rows_read, rows_loaded, rows_duplicate, rows_rejected"
    assert database.query(f"SELECT {columns} FROM lambda.batch_jobs WHERE file IS NOT NULL") == [(5, 1, 2, 2)]
    assert letters(database) == [
        (None, 3, REASON, None),
        (None, 6, REASON.partition("amount")[0] + "risk_score is 0.00, stored is null", None),
    ]
    assert_exact(environment, database)
