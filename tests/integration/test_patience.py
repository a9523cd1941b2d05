"""What PostgreSQL says in an outage, a failover or a read-only spell: programs wait, and blame nothing else for it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lambda_app.batch import runner
from lambda_app.batch.runner import BatchRun
from lambda_app.database.connection import BATCH, STREAM, Connection, connect, transaction, translated_errors
from lambda_app.database.patience import is_outage
from lambda_app.errors import DatabaseUnavailable
from lambda_app.host.clock import SystemClock
from lambda_app.operate import retry
from lambda_app.operate.dead_letters import Filters, select_open
from lambda_app.operate.retry import Retry
from tests.support.fixtures import Database, primary_and_standby
from tests.support.letters import fates, record_messages
from tests.support.messages import messages
from tests.support.postgres_server import PostgresServer
from tests.support.processes import directory
from tests.support.program import Program, run_program
from tests.support.sql import fetch_all


def raised_in(connection: Connection, statement: str) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as caught, transaction(connection):
        fetch_all(connection, statement)
    return caught.value


@pytest.mark.parametrize(
    ("state", "is_away"),
    [
        ("08000", True),  # connection_exception
        ("08003", True),  # connection_does_not_exist
        ("08006", True),  # connection_failure
        ("57P01", True),  # admin_shutdown
        ("57P02", True),  # crash_shutdown
        ("57P03", True),  # cannot_connect_now
        ("57P05", True),  # idle_session_timeout
        ("25P03", True),  # idle_in_transaction_session_timeout
        ("25006", True),  # read_only_sql_transaction
        # Trying again can help, and whoever does the work decides how often.
        ("40P01", False),  # deadlock_detected
        ("53100", False),  # disk_full
        ("55P03", False),  # lock_not_available
        ("57014", False),  # query_canceled
        ("58030", False),  # io_error
    ],
)
def test_state_says_whether_it_is_an_outage(database: Database, state: str, is_away: bool) -> None:
    with closing(connect(STREAM)) as connection:
        error = raised_in(connection, f"DO $$ BEGIN RAISE EXCEPTION 'said' USING ERRCODE = '{state}'; END $$")

        assert str(error) == "PostgreSQL is away: said"
        assert not connection.closed
        assert is_outage(error, connection) == is_away


def test_other_internal_errors_are_not_turned_into_an_outage(database: Database) -> None:
    with closing(connect(STREAM)) as connection, pytest.raises(psycopg2.InternalError), transaction(connection):
        fetch_all(connection, "DO $$ BEGIN RAISE EXCEPTION 'said' USING ERRCODE = 'XX000'; END $$")


def test_session_that_is_ended_is_an_outage(database: Database) -> None:
    for service, statement in [
        (STREAM, "SELECT pg_terminate_backend(pg_backend_pid())"),
        (STREAM, "SET idle_in_transaction_session_timeout = '50ms'; SELECT pg_sleep(0)"),
    ]:
        with (
            closing(connect(service)) as connection,
            pytest.raises(DatabaseUnavailable) as caught,
            transaction(connection),
        ):
            fetch_all(connection, statement)
            SystemClock().sleep(0.3)
            fetch_all(connection, "SELECT 1")

        assert is_outage(caught.value, connection)


def test_session_that_is_ended_outside_of_a_transaction_is_an_outage(database: Database) -> None:
    # As the maintenance works. The message of the end comes before the end of the connection.
    with closing(connect(STREAM)) as connection:
        connection.autocommit = True

        with pytest.raises(DatabaseUnavailable) as caught, translated_errors():
            fetch_all(connection, "SELECT pg_terminate_backend(pg_backend_pid())")

        assert is_outage(caught.value, connection)


def test_statement_that_takes_too_long_is_no_outage(database: Database) -> None:
    with closing(connect(STREAM, server_settings={"statement_timeout": "50ms"})) as connection:
        error = raised_in(connection, "SELECT pg_sleep(10)")

        assert not is_outage(error, connection)


def test_connection_that_cannot_be_had_is_an_outage(database: Database) -> None:
    database.query(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0")

    with pytest.raises(DatabaseUnavailable, match="too many connections") as caught:
        connect(STREAM)

    assert is_outage(caught.value)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    with primary_and_standby() as servers:
        yield servers


def test_standby_is_an_outage_to_who_wants_to_write(
    pair: tuple[PostgresServer, PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, standby = pair
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(standby.credentials))
    monkeypatch.setenv("PGSERVICEFILE", str(standby.service_file("template_lambda")))

    with closing(connect(BATCH)) as connection:
        error = raised_in(connection, "INSERT INTO batch_jobs (business_date, source) VALUES ('2026-06-15', 'a')")
        assert "read-only transaction" in str(error)
        assert is_outage(error, connection)

    standby.service_file("template_lambda", target="primary")
    with pytest.raises(DatabaseUnavailable, match="server is in hot standby mode") as caught:
        connect(BATCH)
    assert is_outage(caught.value)


def test_server_that_is_starting_is_an_outage(
    pair: tuple[PostgresServer, PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, _ = pair
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(primary.credentials))
    with directory("lambda-cold-standby-") as path:
        # It takes no connections before it is promoted.
        cold = PostgresServer(path, {"hot_standby": "off"})
        try:
            cold.create_standby_of(primary, answers=False)
            monkeypatch.setenv("PGSERVICEFILE", str(cold.service_file("template_lambda")))
            with pytest.raises(DatabaseUnavailable, match=r"not (yet )?accepting connections") as caught:
                connect(BATCH)
        finally:
            cold.stop()

    assert is_outage(caught.value)


@pytest.mark.parametrize(
    ("arguments", "status", "waits"),
    [
        (("batch", "run"), 0, "The batch goes on when PostgreSQL is back"),
        (("db", "maintain"), 0, "The maintenance goes on when PostgreSQL is back"),
        (("db", "migrate"), 0, "Waiting for PostgreSQL"),
        # One letter is still open.
        (("dead-letters", "retry", "--all-open"), 1, "The retry goes on when PostgreSQL is back"),
    ],
)
def test_program_waits_while_postgres_can_only_be_read(
    database: Database, tmp_path: Path, arguments: tuple[str, ...], status: int, waits: str
) -> None:
    environment = {**database.environment, "STATE_DIRECTORY": str(tmp_path)}
    database.query("INSERT INTO lambda.batch_jobs (business_date, source) VALUES (current_date - 1, 'generated')")
    record_messages([b"{}"])

    database.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    with Program(environment, *arguments) as program:
        program.wait_for(f"{waits}: PostgreSQL is away: cannot execute")
        database.server.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
        assert program.process.wait(60) == status
        assert "Traceback" not in program.text

    expected = [("completed", 1)] if "run" in arguments else [("pending", 0)]
    assert database.query("SELECT status, attempts FROM lambda.batch_jobs") == expected
    assert fates(database) == [None]


def turned_read_only_once(
    function: Callable[..., object], connection_of: Callable[..., Connection]
) -> tuple[Callable[..., object], list[int]]:
    """The function, on a connection that turns read-only before the first call; and its calls."""
    calls: list[int] = []

    def turned(*arguments: object) -> object:
        calls.append(len(calls))
        if len(calls) == 1:
            fetch_all(connection_of(*arguments), "SET TRANSACTION READ ONLY")
        return function(*arguments)

    return turned, calls


def test_load_that_meets_a_read_only_server_is_no_attempt(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_program({**database.environment, "STATE_DIRECTORY": str(tmp_path)}, "batch", "schedule")
    load, calls = turned_read_only_once(runner.load_file, lambda store, *_: store.connection)
    monkeypatch.setattr(runner, "load_file", load)

    BatchRun(tmp_path, SystemClock()).run()

    assert len(calls) == 2
    assert database.query("SELECT status, attempts, error FROM lambda.batch_jobs") == [("completed", 1, None)]
    assert database.count("dead_letters") == 0


def test_retry_that_meets_a_read_only_server_blames_no_letter(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_messages(list(messages(3)))
    resolve, calls = turned_read_only_once(retry._resolve, lambda connection, *_: connection)
    monkeypatch.setattr(retry, "_resolve", resolve)
    run = Retry(select_open(Filters()), SystemClock())

    assert sum(run.run()) == 3

    # The last found no letter.
    assert len(calls) == 3
    assert (run.stored, run.remaining.total()) == (3, 0)
    assert fates(database) == ["stored"] * 3
