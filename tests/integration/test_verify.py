"""`lambda-app verify` against real servers: exact while all goes on, and each corruption is found and named."""

import re
from pathlib import Path

import pytest

from lambda_app.host.clock import SystemClock
from lambda_app.operate import audit
from lambda_app.settings import Settings
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import load, next_offsets
from tests.support.messages import message, messages
from tests.support.postgres_server import PostgresServer
from tests.support.processes import free_port, wait_until
from tests.support.program import run_program

TEMPLATE = "template_audited"


class NoWait(SystemClock):
    def sleep(self, _: float) -> None:
        pass


@pytest.fixture(scope="module")
def topic(kafka: KafkaServer) -> str:
    kafka.create_topic("audited")
    return "audited"


@pytest.fixture(scope="module")
def template(template: str, postgres: PostgresServer, kafka: KafkaServer, topic: str) -> str:
    """What a consumer and a night left behind: duplicates, bad messages, a gap, late events.

    Each test has a copy of its own.
    """
    postgres.create_database(TEMPLATE, template)
    database = Database(postgres, TEMPLATE, postgres.service_file(TEMPLATE))
    yesterday = str(database.value("SELECT current_date - 1")) + "T12:00:00Z"
    kafka.produce(topic, list(messages(10)), partition=3)
    kafka.delete_records(topic, 3, 4)
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as consumer:
        batch = [*messages(300), b"bad", message(event_time=yesterday, merchant_category=None)]
        kafka.produce(topic, [*batch, *batch])
        wait_until(lambda: next_offsets(database) == kafka.log_ends(topic), what="the first messages")
        for step in ("schedule", "run"):
            assert run_program(database.environment, "batch", step).returncode == 0
        kafka.produce(topic, [message(transaction_id="late", event_time=yesterday, merchant_category=None)])
        wait_until(lambda: next_offsets(database) == kafka.log_ends(topic), what="the late message")
        consumer.terminate()
    return TEMPLATE


@pytest.fixture
def config(kafka: KafkaServer, topic: str) -> Settings:
    return Settings(kafka_bootstrap_servers=kafka.bootstrap_servers, kafka_topic=topic)


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, tmp_path: Path) -> dict[str, str]:
    kafka_settings = kafka.environment(topic)
    return {**database.environment, **kafka_settings, "STATE_DIRECTORY": str(tmp_path)}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    return tmp_path


def differences(config: Settings) -> list[str]:
    return [line for check in audit.verify(config, NoWait()) for line in check.differences]


def notes(config: Settings) -> list[str]:
    return [line for check in audit.verify(config, NoWait()) for line in check.notes]


def test_verify_says_exact_with_all_figures(environment: dict[str, str], database: Database) -> None:
    result = run_program(environment, "verify")

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "exact"
    assert re.search(r"audited/3 .* 4 in gaps", result.stdout)
    assert re.search(r"dead letters +2 counted in the stream, 2 kept", result.stdout)
    assert re.search(r"jobs +1 of 1 completed, 10,000 rows loaded", result.stdout)
    assert f"{database.count('transactions'):,} transactions" in result.stdout
    assert "INFO lambda_app.commands.verify: The audit found everything exact" in result.stderr


def test_verify_is_exact_while_load_late_events_and_recomputes_go_on(
    environment: dict[str, str], database: Database, kafka: KafkaServer, topic: str
) -> None:
    kafka_settings = (database.environment, kafka.bootstrap_servers, topic)
    with ConsumerProcess(*kafka_settings) as consumer, load(kafka, topic):
        consumer.wait_until_ready()
        for _ in range(3):
            rows = database.count("transactions")
            assert run_program(environment, "recompute", "--all").returncode == 0

            result = run_program(environment, "verify")

            assert result.returncode == 0, result.stdout + result.stderr
            assert database.count("transactions") > rows
        assert consumer.terminate() == 0


ONE_ROW = "(SELECT min(transaction_id) FROM lambda.transactions WHERE ingestion_type = '{}')"
COLUMNS = "transaction_id, account_id, transaction_type, amount, event_time, ingestion_type"
ANOTHER_ROW = (
    "SELECT 'more', 'A1', 'refund', 1, event_time, 'STREAM' FROM lambda.transactions WHERE transaction_id = 'late'"
)
FIRST = "ctid = (SELECT min(ctid) FROM lambda.{})"


CORRUPTIONS = {
    "a row of the stream is gone": (
        f"DELETE FROM lambda.transactions WHERE transaction_id = {ONE_ROW.format('STREAM')}",
        ["rows of the stream, .*: 1 missing", "transaction_stats of .*: 1 of .* keys differ"],
    ),
    "a row of the batch is gone": (
        f"DELETE FROM lambda.transactions WHERE transaction_id = {ONE_ROW.format('BATCH')}",
        ["rows of BAT00001, which loaded 10,000: 1 missing", "transaction_stats of .*: 1 of .* keys differ"],
    ),
    "a row was added": (
        f"INSERT INTO lambda.transactions ({COLUMNS}) {ANOTHER_ROW}",
        ["rows of the stream, .*: 1 too many", "12:00Z, no category, refund: absent, recounted count 1"],
    ),
    "a row was changed": (
        "UPDATE lambda.transactions SET amount = amount + 0.01 WHERE transaction_id = 'late'",
        ["1 of .* keys differ.*\n    .* 12:00Z, no category, purchase: amount_sum"],
    ),
    "the batch layer was changed": (
        f"UPDATE lambda.batch_stats SET amount_sum = amount_sum + 0.01 WHERE {FIRST.format('batch_stats')}",
        [
            r"transaction_stats of .*: 1 of .*\n    [^:]+:\d\dZ, .*: amount_sum \S+, recounted",
            "batch_day_stats of .*: 1 of",
        ],
    ),
    "the batch layer has a minute that is none": (
        f"UPDATE lambda.batch_stats SET minute = minute + interval '1 second' WHERE {FIRST.format('batch_stats')}",
        ["2 of .* keys differ.*\n.*(absent, recounted count|recounted nothing)"],
    ),
    "the days were changed": (
        f"DELETE FROM lambda.batch_day_stats WHERE {FIRST.format('batch_day_stats')}",
        ["batch_day_stats of .*: 1 of .*\n    .*absent, batch_stats count", "batch_days of .*: count is"],
    ),
    "the speed layer was changed": (
        "UPDATE lambda.speed_stats SET count = -count",
        ["speed_stats: .* impossible", "transaction_stats of"],
    ),
    "a counter is too high": (
        "UPDATE lambda.stream_offsets SET stored_count = stored_count + 1 WHERE partition = 0",
        ["audited/0: .* accounted for: 1 too many", "rows of the stream, .*: 1 missing"],
    ),
    "a counter is too low": (
        "UPDATE lambda.stream_offsets SET duplicate_count = duplicate_count - 2 WHERE partition = 1",
        ["audited/1: .* accounted for: 2 missing"],
    ),
    "a dead letter is gone": (
        "DELETE FROM lambda.dead_letters WHERE id = 1",
        ["audited/[0-3]: 1 dead letters were counted, 0 are kept"],
    ),
    "a dead letter is said to be stored": (
        "UPDATE lambda.dead_letters SET resolution = 'stored', resolved_at = now() WHERE id = 1",
        ["rows of the stream, .*: 1 missing"],
    ),
    "a gap is gone": ("DELETE FROM lambda.stream_gaps", ["audited/3: gap_count is 4, stream_gaps add up to 0"]),
    "an offset is beyond the log": (
        "UPDATE lambda.stream_offsets SET next_offset = next_offset + 10000000, skipped_count = 10000000",
        [f"audited/{partition}: next_offset 10,000,.* is beyond the end of Kafka's log" for partition in range(4)],
    ),
    "an offset is before the log": (
        "UPDATE lambda.stream_offsets SET next_offset = 3, rewound_count = next_offset - 3 WHERE partition = 3",
        ["audited/3: Kafka removed 1 messages from offset 3 on, unread"],
    ),
    "the topic is another": (
        "UPDATE lambda.stream_offsets SET topic_id = 'b0b00000-0000-0000-0000-000000000001' WHERE partition = 2",
        ["audited/2: read from the topic b0b0"],
    ),
    "a partition is not in Kafka": (
        "INSERT INTO lambda.stream_offsets (topic, partition, next_offset) VALUES ('audited', 4, 0)",
        ["audited/4: Kafka has no such partition"],
    ),
    "a job loaded fewer": (
        "UPDATE lambda.batch_jobs SET rows_loaded = rows_loaded - 1",
        ["rows of BAT00001, which loaded 9,999: 1 too many", "BAT00001 read 10,000 rows, and accounts for 9,999"],
    ),
    "a job rejected more": (
        "UPDATE lambda.batch_jobs SET rows_rejected = 5, rows_read = rows_read + 5",
        ["BAT00001 rejected 5 rows, 0 dead letters of it are kept"],
    ),
    "a job that is not completed has rows": (
        "UPDATE lambda.batch_jobs SET status = 'running'",
        ["BAT00001 is running, and 10,000 rows of it are stored"],
    ),
    "rows are of no job": (
        "UPDATE lambda.transactions SET job_id = 'BAT00009' WHERE ingestion_type = 'BATCH'",
        ["BAT00001, which loaded 10,000: 10,000 missing", "10,000 rows of the batch are of no job: BAT00009"],
    ),
}


@pytest.mark.parametrize(("corruption", "expected"), CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_corruption_is_found_and_named(
    database: Database, config: Settings, directory: Path, corruption: str, expected: list[str]
) -> None:
    database.query(corruption)

    found = differences(config)

    for pattern in expected:
        assert any(re.search(pattern, line) for line in found), found


def test_file_that_is_not_in_its_place_is_named(database: Database, config: Settings, directory: Path) -> None:
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, file, content_hash, status, rows_read)"
        " SELECT current_date, 'bank', status || '.csv', sha256(status::bytea), status, 0"
        " FROM unnest('{completed, failed, pending}'::text[]) AS status"
    )
    for name in ("done/BAT00002-completed.csv", "failed/BAT00003-failed.csv", "claimed/BAT00004-pending.csv"):
        directory.joinpath(name).parent.mkdir()
        directory.joinpath(name).write_text(name.partition("-")[2].removesuffix(".csv"))
    assert differences(config) == []

    directory.joinpath("done/BAT00002-completed.csv").rename(directory / "failed/BAT00002-completed.csv")

    assert differences(config) == [
        "BAT00002 is completed, but its file is not there: done/BAT00002-completed.csv",
    ]


def test_file_that_somebody_went_on_writing_to_is_named_until_another_job_goes_on_with_it(
    database: Database, config: Settings, directory: Path
) -> None:
    database.query(
        "INSERT INTO lambda.batch_jobs (business_date, source, file, content_hash, status, rows_read)"
        " SELECT current_date, 'bank', 'a.csv', sha256(content::bytea), 'completed', 0"
        " FROM unnest('{first, second}'::text[]) AS content"
    )
    directory.joinpath("done").mkdir()
    directory.joinpath("done/BAT00002-a.csv").write_text("second")
    directory.joinpath("done/BAT00003-a.csv").write_text("second")

    [difference] = differences(config)
    assert difference.startswith("done/BAT00002-a.csv has changed since BAT00002: systemctl start lambda-cron-runner")

    directory.joinpath("done/BAT00002-a.csv").unlink()
    database.query("UPDATE lambda.batch_jobs SET continued_by = 'BAT00003' WHERE job_id = 'BAT00002'")

    assert differences(config) == []


def test_directory_of_another_host_is_a_note(
    database: Database, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "absent"))
    database.query("UPDATE lambda.batch_jobs SET file = 'a.csv', content_hash = 'a'")

    assert differences(config) == []
    assert any("not on this host" in note for note in notes(config))


def test_days_that_retention_dropped_are_accounted_for_by_their_aggregates(
    database: Database, config: Settings, directory: Path
) -> None:
    database.query("DELETE FROM lambda.transactions WHERE event_time < current_date")
    assert differences(config) != []
    database.query("UPDATE lambda.batch_days SET dropped_at = now() WHERE day = current_date - 1")
    assert differences(config) == []
    assert "not recounted: 1 days that retention dropped" in notes(config)

    database.query("DELETE FROM lambda.transactions WHERE transaction_id = 'TXN-none' OR account_id = 'ACC-00001'")

    assert any(re.search("rows of stream and batch, .* missing", line) for line in differences(config))


def test_difference_exits_1_and_a_peer_that_is_away_75(
    environment: dict[str, str], database: Database, tmp_path: Path
) -> None:
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text(f"[lambda-reader]\nhost=127.0.0.1\nport={free_port()}\n", encoding="utf-8")
    database.query("UPDATE lambda.stream_offsets SET stored_count = 0, next_offset = next_offset - stored_count")

    found = run_program(environment, "verify")
    no_kafka = run_program({**environment, "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}, "verify")
    no_postgres = run_program({**environment, "PGSERVICEFILE": str(service_file)}, "verify")

    assert (found.returncode, no_kafka.returncode, no_postgres.returncode) == (1, 75, 75)
    assert "difference: " in found.stdout
    assert "ERROR lambda_app.commands.verify: Differences found by the audit: 1, the first:" in found.stderr
    assert "Kafka is away" in no_kafka.stderr
    assert "PostgreSQL is away" in no_postgres.stderr
    assert not any("exact" in result.stdout for result in (found, no_kafka, no_postgres))
