"""Dead letters run through today's rules: what is valid by now is stored once, whatever is killed."""

import signal
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from lambda_app import settings
from lambda_app.core.transaction.message_bulk import encode_messages
from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.database.connection import STREAM, connect
from lambda_app.host.clock import SystemClock
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.recompute import recompute_days
from lambda_app.layers.store import Store
from lambda_app.operate import retry
from lambda_app.operate.dead_letters import Filters, select_open
from lambda_app.operate.retry import Retry
from tests.support.fixtures import Database
from tests.support.letters import COLUMNS, fates, record_lines, record_messages, retry_all, run_dead_letters
from tests.support.messages import message, messages
from tests.support.processes import REPOSITORY
from tests.support.program import COMMAND
from tests.support.recount import recount, served
from tests.support.trap import trapped


def test_retry_stores_what_is_valid_by_today_and_leaves_the_rest_as_it_is(database: Database) -> None:
    came_by = message(event_time=(datetime.now(UTC) - timedelta(hours=1)).isoformat(), transaction_id="T1")
    ahead = message(event_time=(datetime.now(UTC) + timedelta(days=2)).isoformat())
    record_messages([came_by, message(), b"not JSON", None, came_by, ahead])

    result = run_dead_letters(database, "retry", "--all-open")

    assert result.returncode == 1
    assert "Retried 6 dead letters" in result.stderr
    assert "stored 2, duplicate 1, still open 3: " in result.stderr
    assert "event_time is more than one day ahead (1)" in result.stderr
    assert "the message has no value (1)" in result.stderr
    assert fates(database) == ["stored", "stored", None, None, "duplicate", None]
    assert database.count("dead_letters", "reason = 'a rule of old'") == 6
    assert database.count("transactions", "ingestion_type = 'STREAM'") == database.count("transactions") == 2
    assert database.query("SELECT DISTINCT shard FROM lambda.speed_stats") == [(-1,)]
    assert served(database) == recount(database)


def test_letter_of_a_time_too_far_ahead_is_stored_when_it_has_come(database: Database) -> None:
    class Tomorrow(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(days=1)

    record_messages([message(event_time=(datetime.now(UTC) + timedelta(days=1, hours=1)).isoformat())])

    assert retry_all().remaining == {"event_time is more than one day ahead": 1}
    assert retry_all(Tomorrow()).stored == 1
    assert fates(database) == ["stored"]
    assert served(database) == recount(database)


def test_retry_takes_only_what_the_filters_choose(database: Database) -> None:
    record_messages(messages(2), "one")
    record_messages(messages(2), "two")

    assert run_dead_letters(database, "retry", "--source", "t*", "1", "3").returncode == 0
    assert fates(database) == [None, None, "stored", None]
    assert run_dead_letters(database, "retry", "--until", "2026-01-01").returncode == 0
    assert fates(database).count("stored") == 1
    unknown = run_dead_letters(database, "retry", "1", "98", "99")
    assert (unknown.returncode, fates(database).count("stored")) == (1, 1)
    assert "there is no dead letter 98, 99" in unknown.stderr


def test_line_of_a_file_is_retried_by_its_header(database: Database) -> None:
    for header in (COLUMNS, None):
        database.query(
            "INSERT INTO lambda.batch_jobs (business_date, source, header)"
            f" VALUES ('2026-06-15', '{header is None}', {f'ARRAY{header}' if header else 'NULL'})"
        )
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    record_lines([f'T1,A1,refund,-1.50,{now},"two\r\nlines"\r\n', f"T2,A1,refund,1.505,{now},\n", "T3\n"])
    record_lines([f"T4,A1,refund,1,{now},\n"], job_id="BAT00002")
    record_lines([f"T5,A1,refund,1,{now},\n"], job_id=None)
    record_messages([message(transaction_id="T6", job_id=...)])

    run = retry_all()

    assert fates(database) == ["stored", None, None, None, None, "stored"]
    assert database.query(
        "SELECT transaction_id, ingestion_type, job_id, location FROM lambda.transactions ORDER BY 1"
    ) == [("T1", "BATCH", "BAT00001", "two\r\nlines"), ("T6", "STREAM", None, "Springfield, IL")]
    assert run.remaining == {
        "amount has 3 decimals, more than 2": 1,
        "1 fields where the header names 6": 1,
        "the columns of its file are not known": 2,
    }
    assert served(database) == recount(database)


def test_row_that_postgres_refuses_stays_open_and_its_neighbours_are_stored(database: Database) -> None:
    database.query("ALTER TABLE lambda.transactions ADD CONSTRAINT no_thirteen CHECK (account_id <> '13')")
    record_messages([message(account_id=str(number)) for number in range(12, 16)])

    run = retry_all()

    assert fates(database) == ["stored", None, "stored", "stored"]
    assert [("no_thirteen" in reason, count) for reason, count in run.remaining.items()] == [(True, 1)]
    assert served(database) == recount(database)


def test_transaction_that_fails_as_a_whole_is_passed_by(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RETRY_LETTERS", 2)
    database.query(
        "CREATE FUNCTION lambda.fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a deadlock, say' USING ERRCODE = '40P01'; END $$;"
        "CREATE TRIGGER fail BEFORE UPDATE ON lambda.dead_letters FOR EACH ROW WHEN (old.id = 3)"
        " EXECUTE FUNCTION lambda.fail()"
    )
    record_messages(messages(6))

    run = retry_all()

    assert fates(database) == ["stored", "stored", None, None, "stored", "stored"]
    assert run.remaining == {"PostgreSQL refuses it with its neighbours: a deadlock, say": 2}
    assert database.count("transactions") == 4
    assert served(database) == recount(database)


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("operate.retry encode_messages after", 0),
        ("layers.store store_chunk after", 0),
        ("operate.retry _resolve after", 0),
        ("layers.speed_layer upsert_stats after", 0),
        # Nothing of it is half done between two transactions.
        ("operate.retry reason_kind before", 1),
    ],
)
def test_killed_retry_leaves_all_or_nothing_and_the_next_finishes(database: Database, point: str, stored: int) -> None:
    record_messages([*messages(20), b"not JSON"])

    killed = subprocess.run(
        [*trapped(f"{point} SIGKILL 1"), "dead-letters", "retry", "--all-open"],
        env=database.environment,
        cwd=REPOSITORY,
        check=False,
        timeout=60,
    )

    assert killed.returncode == -signal.SIGKILL
    assert database.count("transactions") == fates(database).count("stored") == 20 * stored
    assert served(database) == recount(database)
    assert retry_all().stored == 20 - 20 * stored
    assert fates(database) == ["stored"] * 20 + [None]
    assert served(database) == recount(database)


def test_retry_goes_on_after_an_outage(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RETRY_LETTERS", 3)
    record_messages(messages(9))
    resolve, calls = retry._resolve, []

    def cut_off(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lambda_batch'")
        resolve(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(retry, "_resolve", cut_off)

    run = retry_all()

    assert (run.stored, run.duplicate, run.remaining) == (9, 0, {})
    assert fates(database) == ["stored"] * 9
    assert served(database) == recount(database)


def test_two_retries_at_once_do_each_letter_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RETRY_LETTERS", 10)
    record_messages(messages(25))
    resolve, others = retry._resolve, []

    def with_another_retry(*arguments: object) -> None:
        monkeypatch.setattr(retry, "_resolve", resolve)
        others.append(retry_all())
        resolve(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(retry, "_resolve", with_another_retry)

    run = retry_all()

    assert (run.stored, run.remaining) == (10, {})
    assert (others[0].stored, others[0].remaining) == (15, {"left to another retry": 10})
    assert fates(database) == ["stored"] * 25
    assert served(database) == recount(database)


def test_retries_a_stream_and_recomputes_at_once_stay_exact(database: Database) -> None:
    start = datetime.now(UTC) - timedelta(days=3)
    values = [message(event_time=(start + timedelta(seconds=11 * n)).isoformat()) for n in range(20_000)]
    # Each was sent twice, and half of them are sent right at the third time.
    record_messages([*values, *reversed(values)])
    command = [*COMMAND, "dead-letters", "retry", "--all-open"]
    retries = [subprocess.Popen(command, env=database.environment, cwd=REPOSITORY) for _ in range(2)]
    with closing(connect(STREAM)) as connection:
        stream = Store(connection, 1)
        for first in range(0, 10_000, 500):
            encoded = encode_messages(values[first : first + 500], "STREAM", datetime.now(UTC))
            with stream.transaction():
                stream.add(encoded.rows)
            for _ in recompute_days([(start + timedelta(days=1)).date()], SystemClock()):
                pass
    for each in retries:
        assert each.wait(60) in (0, 1)
    retry_all()

    assert database.count("transactions") == 20_000
    assert None not in fates(database)
    assert served(database) == recount(database)


def test_memory_of_a_retry_is_bounded_by_bytes_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHUNK_BYTES", 2500)
    record_messages([message(padding="x" * 1000) for _ in range(7)])

    tried = list(Retry(select_open(Filters()), SystemClock()).run())

    assert tried == [2, 2, 2, 1]
    assert fates(database) == ["stored"] * 7


def test_hundred_thousand_are_retried_in_bulk(database: Database) -> None:
    start = datetime.now(UTC) - timedelta(days=2)
    values = [
        message(event_time=(start + timedelta(seconds=number)).isoformat()) if number % 100 else b"not JSON"
        for number in range(100_000)
    ]
    with closing(database.server.connect(database.name)) as connection:
        for first in range(0, len(values), 10_000):
            letters = [
                DeadLetter("a rule of old", value, "transactions", None, 0, offset)
                for offset, value in enumerate(values[first : first + 10_000], first)
            ]
            record_dead_letters(connection, letters)
    started = time.monotonic()

    result = run_dead_letters(database, "retry", "--reason", "rule of old")

    print(f"100,000 dead letters retried in {time.monotonic() - started:.1f} s: {result.stderr}")
    assert result.returncode == 1
    assert "stored 99000, duplicate 0, still open 1000: not JSON" in result.stderr
    assert database.count("transactions") == database.count("dead_letters", "resolution = 'stored'") == 99_000
    assert served(database) == recount(database)
