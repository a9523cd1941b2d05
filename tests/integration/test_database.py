"""Migrations, rights and partitions on a real PostgreSQL."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from lambda_app.database.connection import BATCH, READER, STREAM, Connection, connect, transaction
from lambda_app.errors import AccessRefused, DatabaseUnavailable, LambdaError
from lambda_app.operate import migrations
from tests.support.fixtures import Database
from tests.support.postgres_server import POSTGRES_BIN, PostgresServer
from tests.support.processes import REPOSITORY, free_port
from tests.support.sql import fetch_all

SCHEMA = REPOSITORY / "lambda_app/sql/schema.sql"


def run_migrate(environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lambda_app", "db", "migrate", *options],
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def connected(service: str) -> Iterator[Connection]:
    with closing(connect(service)) as connection:
        yield connection


def test_migrate_makes_the_schema_and_changes_nothing_when_run_again(empty_database: Database) -> None:
    assert migrations.migrate()[0] == "0001_create_tables"
    assert migrations.migrate() == []

    assert all(applied for _, applied in migrations.list_migrations())
    # Plain names work for everyone.
    with connected(READER) as connection:
        assert fetch_all(connection, "SELECT * FROM transactions") == []
        assert fetch_all(connection, "SELECT * FROM transaction_stats") == []


def test_migrate_lets_programs_use_temporary_tables_and_people_not(empty_database: Database) -> None:
    migrations.migrate()

    allowed = [
        role
        for role in ("lambda_stream", "lambda_batch", "lambda_reader")
        if empty_database.value(f"SELECT has_database_privilege('{role}', current_database(), 'TEMPORARY')")
    ]
    assert allowed == ["lambda_stream", "lambda_batch"]


def test_migrate_may_run_from_several_places_at_once(empty_database: Database) -> None:
    runs = [run_migrate(empty_database.environment) for _ in range(3)]

    outputs = [run.communicate(timeout=60)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0, 0], outputs
    assert sum("applied 0001_create_tables" in output for output in outputs) == 1
    assert all("the schema is up to date" in output for output in outputs)


def test_migration_that_fails_leaves_nothing_behind(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "0001_make_things.sql").write_text(
        "CREATE SCHEMA a; CREATE TABLE a.a (); SELECT 1 / 0;", encoding="utf-8"
    )
    monkeypatch.setattr(migrations, "_FOLDER", tmp_path)

    with pytest.raises(LambdaError, match="Migration 0001_make_things failed: division by zero"):
        migrations.migrate()

    assert empty_database.value("SELECT to_regclass('a.a')") is None
    assert migrations.list_migrations() == [("0001_make_things", False)]


def test_migrate_waits_for_postgres_and_gives_up_at_its_deadline(tmp_path: Path) -> None:
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text(f"[lambda-owner]\nhost=127.0.0.1\nport={free_port()}\ndbname=lambda\n", encoding="utf-8")
    environment = {**os.environ, "PGSERVICEFILE": str(service_file)}

    run = run_migrate(environment, "--wait-seconds", "1")
    output = run.communicate(timeout=30)[0]

    assert run.returncode == os.EX_TEMPFAIL
    assert "Waiting for PostgreSQL" in output
    assert "Traceback" not in output


def test_status_lists_the_migrations_and_fails_when_one_is_missing(empty_database: Database) -> None:
    def status() -> tuple[int, str]:
        run = subprocess.run(
            [sys.executable, "-m", "lambda_app", "db", "status"],
            env=empty_database.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout

    code_before, before = status()
    migrations.migrate()
    code_after, after = status()

    assert (code_before, code_after) == (1, 0)
    assert before.startswith("missing 0001_create_tables")
    assert after.startswith("applied 0001_create_tables")


def test_schema_file_is_what_the_migrations_make(database: Database, postgres: PostgresServer) -> None:
    command = [POSTGRES_BIN / "pg_dump", "--schema-only", "--schema=lambda", "-d", database.name]
    socket_directory = str(database.service_file.parent)
    dump = subprocess.run(
        [*command, "-h", socket_directory, "-p", str(postgres.port), "-U", "postgres"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # Not the schema's: versions, and a key that is another one at each run.
    dump = re.sub(r"^(-- Dumped .*|\\(un)?restrict .*|SET .*|SELECT pg_catalog.set_config.*)\n", "", dump, flags=re.M)
    dump = re.sub(r"\n{3,}", "\n\n", dump)

    if os.environ.get("WRITE_SCHEMA"):
        SCHEMA.write_text(dump, encoding="utf-8")

    assert dump == SCHEMA.read_text(encoding="utf-8"), "run the test with WRITE_SCHEMA=1 and commit the file"


def test_counters_of_a_log_that_was_read_again_are_worked_out_once(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(str(migrations._FOLDER), tmp_path, dirs_exist_ok=True)
    tmp_path.joinpath("0004_add_stream_offsets_counters.sql").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_FOLDER", tmp_path)
        migrations.migrate()
    columns = "topic, partition, next_offset, stored_count, duplicate_count, dead_letter_count, gap_count"
    empty_database.query(
        f"INSERT INTO lambda.stream_offsets ({columns})"
        # As it should be; with two ends of transactions; five messages read again, one of them bad; a wrong counter.
        " VALUES ('t', 0, 10, 9, 0, 1, 0), ('t', 1, 10, 8, 0, 0, 0),"
        " ('t', 2, 10, 9, 4, 2, 0), ('t', 3, 10, 11, 0, 0, 0)"
    )
    empty_database.query(
        "INSERT INTO lambda.stream_gaps (topic, partition, from_offset, reason) VALUES ('t', 2, 5, 'it was cut off')"
    )
    empty_database.query(
        "INSERT INTO lambda.dead_letters (topic, partition, \"offset\", reason) VALUES ('t', 0, 3, ''), ('t', 2, 7, '')"
    )

    migrations.migrate()

    counters = "stored_count, duplicate_count, dead_letter_count, rewound_count, skipped_count"
    assert empty_database.query(f"SELECT {counters} FROM lambda.stream_offsets ORDER BY partition") == [
        (9, 0, 1, 0, 0),
        (8, 0, 0, 0, 2),
        (9, 5, 1, 5, 0),
        (11, 0, 0, 0, 0),
    ]


TABLES = (
    *("transactions", "dead_letters", "stream_offsets", "stream_gaps", "batch_jobs", "speed_stats", "batch_stats"),
    *("batch_days", "batch_day_stats", "batch_top_accounts", "uncounted_minutes", "speed_shards"),
)


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        # In the order of TABLES: S select, I insert, U update, D delete.
        ("lambda_stream", ("SI", "SI", "SIU", "SI", "", "SIUD", "SID", "SIU", "SID", "SID", "SID", "")),
        ("lambda_batch", ("SI", "SI", "S", "", "SIU", "SIUD", "SIUD", "SIUD", "SIUD", "SIUD", "SID", "")),
        ("lambda_reader", ("S",) * len(TABLES)),
    ],
)
def test_role_has_its_rights_and_no_more(database: Database, role: str, rights: tuple[str, ...]) -> None:
    granted = tuple(
        "".join(
            right[0]
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if database.value(f"SELECT has_table_privilege('{role}', 'lambda.{table}', '{right}')")
        )
        for table in TABLES
    )

    assert granted == rights
    others = ("TRUNCATE", "REFERENCES", "TRIGGER")
    assert not any(
        database.value(f"SELECT has_table_privilege('{role}', 'lambda.{table}', '{right}')")
        for table in TABLES
        for right in others
    )
    assert not database.value(f"SELECT has_schema_privilege('{role}', 'lambda', 'CREATE')")
    may_make_partitions = database.value(
        f"SELECT has_function_privilege('{role}', 'ensure_partition(date)', 'EXECUTE')"
    )
    assert may_make_partitions == (role != "lambda_reader")


def test_partition_has_the_rights_of_its_table(database: Database) -> None:
    with connected(STREAM) as connection, transaction(connection):
        assert fetch_all(connection, "SELECT ensure_partition('2026-06-15')") == [(True,)]
        assert fetch_all(connection, "SELECT ensure_partition('2026-06-15')") == [(False,)]

    for role, right in [("lambda_stream", "INSERT"), ("lambda_batch", "INSERT"), ("lambda_reader", "SELECT")]:
        assert database.value(f"SELECT has_table_privilege('{role}', 'lambda.transactions_20260615', '{right}')")
    assert not database.value("SELECT has_table_privilege('lambda_stream', 'lambda.transactions_20260615', 'UPDATE')")
    assert (
        database.value("SELECT tableowner FROM pg_tables WHERE tablename = 'transactions_20260615'") == "lambda_owner"
    )


@pytest.mark.parametrize("day", ["1999-12-30", "2999-01-01", "infinity"])
def test_partition_of_an_impossible_day_is_refused(database: Database, day: str) -> None:
    with connected(STREAM) as connection, pytest.raises(psycopg2.errors.CheckViolation, match="no partition for"):
        fetch_all(connection, f"SELECT ensure_partition('{day}')")


def test_partition_is_cut_at_midnight_of_the_database_not_of_the_session(
    postgres: PostgresServer, template: str
) -> None:
    postgres.create_database("lambda_berlin", template, time_zone="Europe/Berlin")
    try:
        # The day on which the clocks go forward has 23 hours.
        postgres.execute("SET timezone = 'Asia/Tokyo'; SELECT lambda.ensure_partition('2026-03-29')", "lambda_berlin")
        bounds = postgres.execute(
            "SET timezone = 'UTC'; SELECT pg_get_expr(relpartbound, oid) FROM pg_class"
            " WHERE relname = 'transactions_20260329'",
            "lambda_berlin",
        )
    finally:
        postgres.execute("DROP DATABASE lambda_berlin WITH (FORCE)")

    assert bounds == [("FOR VALUES FROM ('2026-03-28 23:00:00+00') TO ('2026-03-29 22:00:00+00')",)]


def test_partition_appears_while_a_writer_holds_its_transaction_open(database: Database) -> None:
    insert = (
        "INSERT INTO transactions (transaction_id, account_id, transaction_type, amount, event_time, ingestion_type)"
        " VALUES ('T1', 'A1', 'refund', 1, '2026-06-15 12:00+00', 'STREAM')"
    )
    with connected(STREAM) as writer, connected(BATCH) as other, transaction(writer):
        fetch_all(writer, "SELECT ensure_partition('2026-06-15')")
        writer.commit()
        fetch_all(writer, insert)

        with transaction(other):
            fetch_all(other, "SET LOCAL lock_timeout = '2s'")
            assert fetch_all(other, "SELECT ensure_partition('2026-06-16')") == [(True,)]

    assert database.count("transactions") == 1


def test_partition_is_made_once_when_many_want_it(database: Database) -> None:
    def make(_: int) -> bool:
        with connected(STREAM) as connection, transaction(connection):
            return bool(fetch_all(connection, "SELECT ensure_partition('2026-06-17')")[0][0])

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))

    assert sorted(made) == [False] * 7 + [True]


def test_job_gets_its_name_from_its_number(database: Database) -> None:
    with connected(BATCH) as connection, transaction(connection):
        rows = fetch_all(
            connection,
            "INSERT INTO batch_jobs (business_date, source) VALUES ('2026-06-15', 'a'), ('2026-06-16', 'a')"
            " RETURNING job_id, status, attempts",
        )

        assert rows == [("BAT00001", "pending", 0), ("BAT00002", "pending", 0)]
        with pytest.raises(psycopg2.errors.UniqueViolation, match="batch_jobs_source_business_date_key"):
            fetch_all(connection, "INSERT INTO batch_jobs (business_date, source) VALUES ('2026-06-15', 'a')")


def test_stats_view_combines_both_layers(database: Database) -> None:
    columns = "minute, merchant_category, transaction_type, count, amount_sum, amount_min, amount_max, risk_sum"
    for shard, category in [(1, "'gas'"), (2, "'gas'"), (1, "NULL")]:
        database.query(
            f"INSERT INTO lambda.speed_stats (shard, {columns}, high_risk_count)"
            f" VALUES ({shard}, '2026-06-15 12:00+00', {category}, 'refund', 2, 10, {shard}, 9, 0.5, 1)"
        )
    database.query(
        f"INSERT INTO lambda.batch_stats ({columns}, high_risk_count)"
        " VALUES ('2026-06-15 12:00+00', 'gas', 'refund', 5, 100, 3, 70, 2.5, 4)"
    )

    rows = database.query(f"SELECT {columns}, high_risk_count FROM lambda.transaction_stats ORDER BY merchant_category")

    assert [tuple(map(str, row[1:])) for row in rows] == [
        ("gas", "refund", "9", "120", "1", "70", "3.5", "6"),
        ("None", "refund", "2", "10", "1", "9", "0.5", "1"),
    ]


def test_wrong_password_is_refused_and_absence_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pgpass-stream").write_text("*:*:*:lambda_stream:wrong\n", encoding="utf-8")
    (tmp_path / "pgpass-stream").chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(AccessRefused, match="password authentication failed"):
        connect(STREAM)

    nowhere = tmp_path / "pg_service.conf"
    nowhere.write_text(f"[lambda-stream]\nhost=127.0.0.1\nport={free_port()}\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(nowhere))
    with pytest.raises(DatabaseUnavailable, match="PostgreSQL is away"):
        connect(STREAM)


def test_missing_schema_is_said_with_its_remedy(empty_database: Database) -> None:
    with (
        connected(STREAM) as connection,
        pytest.raises(AccessRefused, match="run lambda-app db migrate"),
        transaction(connection),
    ):
        fetch_all(connection, "SELECT * FROM transactions")
