"""The nightly maintenance on a real PostgreSQL: does what is missing, holds nobody up, drops what it is to drop."""

import logging
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from lambda_app import settings
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.outcome import StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import BATCH, STREAM, connect
from lambda_app.errors import LambdaError
from lambda_app.host.clock import SystemClock
from lambda_app.layers.day_tables import ensure_day_tables
from lambda_app.layers.recompute import dirty_days, recompute_days
from lambda_app.layers.store import Store
from lambda_app.operate import maintenance
from tests.support.fixtures import Database
from tests.support.program import Program, run_program
from tests.support.recount import recount, served
from tests.support.servers import REPOSITORY, PostgresServer, wait_until
from tests.support.trap import trapped

# Whoever builds an index waits for it.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1"
REPEATED = "SELECT day, repeated_ids FROM lambda.batch_days WHERE repeated_ids > 0 ORDER BY day"


def today() -> date:
    return datetime.now(UTC).date()


def noon(days_ago: int) -> datetime:
    return datetime(*today().timetuple()[:3], 12, tzinfo=UTC) - timedelta(days=days_ago)


def partition(days_ago: int) -> str:
    return f"transactions_{noon(days_ago):%Y%m%d}"


def rows(*ids_and_times: tuple[str, datetime]) -> Rows:
    return Rows.of(
        [
            encode_row(Transaction(None, number, "A1", "refund", Decimal(1), time, "gas", None, None, None), "STREAM")
            for number, time in ids_and_times
        ]
    )


def store(*ids_and_times: tuple[str, datetime], expect_duplicates: bool = False) -> StoreResult:
    with closing(connect(STREAM)) as connection:
        made = Store(connection, 1)
        with made.transaction():
            return made.add(rows(*ids_and_times), expect_duplicates)


def maintain(retention_days: int | None = None) -> None:
    maintenance.maintain(retention_days, SystemClock())


def recompute(*days_ago: int) -> None:
    list(recompute_days([noon(back).date() for back in days_ago], SystemClock()))


def partitions(database: Database) -> list[object]:
    return [
        name
        for (name,) in database.query(
            "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE relkind = 'r' ORDER BY 1"
        )
    ]


def indexes(database: Database) -> list[tuple[object, ...]]:
    """The indexes of the maintenance, and whether each is valid."""
    return database.query(
        "SELECT relname, indisvalid FROM pg_class JOIN pg_index ON indexrelid = oid"
        r" WHERE relname ~ '^transactions_\d{8}_id_idx$' ORDER BY oid"
    )


def all_but_transactions(database: Database) -> dict[str, list[tuple[object, ...]]]:
    tables = ("batch_stats", "batch_day_stats", "batch_top_accounts", "speed_stats", "dead_letters", "batch_jobs")
    return {
        table: database.query(f"SELECT t::text FROM lambda.{table} AS t ORDER BY 1")
        for table in (*tables, "transaction_stats", "stream_offsets", "stream_gaps")
    }


@contextmanager
def an_open_transaction(database: Database, statement: str) -> Iterator[None]:
    """Somebody who ran a statement and has not ended the transaction."""
    with closing(database.server.connect(database.name)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(statement)
        yield


@contextmanager
def in_the_background(retention_days: int | None = None) -> Iterator[Callable[[], None]]:
    """Gives what starts a maintenance; waits for its end."""
    thread = threading.Thread(target=maintain, args=(retention_days,), daemon=True)
    yield thread.start
    thread.join(30)
    assert not thread.is_alive()


def backend_waits(database: Database, statement: str) -> bool:
    """Whether the maintenance waits for a lock in such a statement."""
    where = f"application_name = 'lambda-db-maintenance' AND wait_event_type = 'Lock' AND query LIKE '%{statement}%'"
    return bool(database.query(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND {where}"))


@pytest.fixture
def zoned_database(
    request: pytest.FixtureRequest, postgres: PostgresServer, template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A database whose days are cut in another time zone."""
    name = "lambda_zoned"
    postgres.create_database(name, template, time_zone=request.param)
    monkeypatch.setenv("PGSERVICEFILE", str(postgres.service_file(name)))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(postgres.credentials))
    yield Database(postgres, name, postgres.service_file(name))
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


# At any time one of the first two has another date than UTC; the last changes its clocks.
ZONES = ("Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin")


@pytest.mark.parametrize("zoned_database", ZONES, indirect=True)
@pytest.mark.parametrize("program", [("db", "maintain"), ("batch", "schedule")], ids=lambda program: program[0])
def test_partitions_of_today_and_tomorrow_exist_after_each_night(
    zoned_database: Database, program: tuple[str, str]
) -> None:
    zone = ZoneInfo(str(zoned_database.value("SELECT lambda.time_zone()")))

    result = run_program({**zoned_database.environment, "PGTZ": "UTC"}, *program)

    day = datetime.now(zone).date()
    assert result.returncode == 0, result.stderr
    assert partitions(zoned_database) == [f"transactions_{day + timedelta(days=n):%Y%m%d}" for n in (0, 1)]


def test_closed_days_are_indexed_once_oldest_first_and_today_is_not(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store(("T1", noon(0) - timedelta(hours=12)), ("T1", noon(3)), ("T1", noon(1)))

    maintain()

    # Both neighbours of a day that is made on demand are made with it.
    assert indexes(database) == [(f"{partition(back)}_id_idx", True) for back in (4, 3, 2, 1)]
    caplog.clear()
    maintain()
    assert caplog.messages == []


def test_late_event_does_not_wait_for_an_index_that_is_built(database: Database) -> None:
    store(("T1", noon(1)))

    with in_the_background() as start, an_open_transaction(database, SNAPSHOT):
        start()
        wait_until(lambda: backend_waits(database, "CREATE INDEX"))
        assert store(("T2", noon(1))).stored == 1
        assert store(("T2", noon(1)), ("T3", noon(1)), expect_duplicates=True).stored == 1

    assert {valid for _, valid in indexes(database)} == {True}
    by_index = f"SET enable_seqscan = off; SELECT count(*) FROM lambda.{partition(1)} WHERE transaction_id >= 'T'"
    assert database.query(by_index) == [(3,)]


def test_index_of_a_killed_build_is_dropped_and_built_again(database: Database) -> None:
    store(("T1", noon(1)))

    with in_the_background() as start, an_open_transaction(database, SNAPSHOT):
        start()
        wait_until(lambda: backend_waits(database, "CREATE INDEX"))
        [(broken, _)] = indexes(database)
        database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database.name}' AND application_name = 'lambda-db-maintenance'"
        )
        # It comes back by itself.
        wait_until(lambda: indexes(database) == [(broken, False)] and backend_waits(database, "CREATE INDEX"))

    assert indexes(database) == [(f"{partition(back)}_id_idx", True) for back in (2, 1)]


def test_index_that_waits_too_long_is_built_the_next_night(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "INDEX_LOCK_SECONDS", 0.1)
    store(("T1", noon(1)))

    with an_open_transaction(database, SNAPSHOT):
        maintain()

    assert "get their index the next night: a transaction has been open" in caplog.text
    maintain()
    assert {valid for _, valid in indexes(database)} == {True}


def test_ids_that_occur_twice_are_counted_within_the_day_and_seven_days_before(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    second = timedelta(seconds=1)
    store(
        # Twice and three times the same day: two ids.
        ("it's 2", noon(1)),
        ("it's 2", noon(1) + second),
        ("3", noon(1)),
        ("3", noon(1) + second),
        ("3", noon(1) + 2 * second),
        # Seven days before, and eight.
        ("near", noon(8)),
        ("near", noon(1)),
        ("far", noon(9)),
        ("far", noon(1)),
        # Twice, but not this day.
        ("other", noon(2)),
        ("other", noon(3)),
        # Once each.
        *((f"T{n}", noon(1)) for n in range(20)),
    )

    maintain()

    assert database.query(REPEATED) == [(noon(2).date(), 1), (noon(1).date(), 3)]
    assert f"{noon(4).date()} closed: 0 repeated transaction ids" in caplog.text
    [*_, warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"{noon(1).date()} has 3 transaction ids that occur with another time too")
    shown = database.query(f"SET search_path = lambda; {warning.split(': ')[-1]}")
    assert [row[1] for row in shown] == ["3"] * 3 + ["it's 2"] * 2 + ["near"] * 2


def test_day_is_counted_again_when_it_or_a_day_before_got_rows(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store(("T1", noon(1)), ("T2", noon(3)), ("T3", noon(20)))
    recompute(1, 3, 20)
    maintain()
    assert database.query(REPEATED) == []

    store(("T1", noon(3)))
    recompute(3)
    caplog.clear()
    maintain()

    assert database.query(REPEATED) == [(noon(1).date(), 1)]
    counted = [text.split()[0] for text in caplog.messages if " closed: " in text]
    assert counted == [str(noon(back).date()) for back in (3, 2, 1)]


def test_retention_drops_transactions_of_older_days_and_nothing_else(database: Database) -> None:
    store(*((f"T{back}", noon(back)) for back in range(8)))
    # Some are in the batch layer, some in both, some in the speed layer alone.
    recompute(7, 5, 4, 2)
    store(("late 7", noon(7)), ("late 5", noon(5)))
    database.query(
        "INSERT INTO lambda.dead_letters (file, line, raw, reason, job_id) VALUES ('a.csv', 1, '', 'bad', 'BAT00001')"
    )
    database.query("INSERT INTO lambda.batch_jobs (business_date, source) VALUES (current_date - 7, 'generated')")
    kept = f"event_time >= '{noon(3).date()}'"
    before, rows_before = all_but_transactions(database), recount(database, kept)

    result = run_program({**database.environment, "LAMBDA_DB_MAINTAIN_RETENTION_DAYS": "3"}, "db", "maintain")

    assert result.returncode == 0, result.stderr
    assert all_but_transactions(database) == before
    assert recount(database) == rows_before
    assert partitions(database) == [partition(back) for back in (3, 2, 1, 0, -1)]
    assert database.query("SELECT day FROM lambda.batch_days WHERE dropped_at IS NOT NULL ORDER BY day") == [
        (noon(back).date(),) for back in (8, 7, 6, 5, 4)
    ]


def test_without_retention_nothing_is_dropped(database: Database) -> None:
    store(("T1", datetime(2001, 1, 1, tzinfo=UTC)))

    maintain()

    assert database.count("transactions") == 1


def test_late_event_of_a_dropped_day_is_served_and_dropped_again(database: Database) -> None:
    store(("T1", noon(5)))
    recompute(5)
    maintain(retention_days=3)

    assert store(("late", noon(5)), ("later", noon(5))).stored == 2

    assert database.count("transactions") == 2
    assert sum(row[0] for row in served(database).values()) == 3
    with closing(connect(BATCH)) as connection:
        assert dirty_days(connection) == []
    with pytest.raises(LambdaError, match="retention dropped its transactions"):
        recompute(5)
    before = all_but_transactions(database)
    maintain(retention_days=3)
    assert database.count("transactions") == 0
    assert all_but_transactions(database) == before


def test_drop_waits_for_readers_without_holding_up_writers(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "DROP_WAIT_SECONDS", 2)
    store(("T1", noon(5)))

    with an_open_transaction(database, "SELECT count(*) FROM lambda.transactions"):
        with in_the_background(retention_days=3) as start:
            start()
            wait_until(lambda: backend_waits(database, "LOCK TABLE"))
            for number in range(5):
                started = time.monotonic()
                assert store((f"L{number}", noon(5)), (f"L{number}", noon(0)), expect_duplicates=True).stored == 2
                assert time.monotonic() - started < 5
        assert "dropped the next night: transactions has been in use" in caplog.text
        assert partition(5) in partitions(database)
        assert database.count("batch_days", "dropped_at IS NOT NULL") == 0

    maintain(retention_days=3)
    assert partitions(database) == [partition(back) for back in (1, 0, -1)]
    assert sum(row[0] for row in served(database).values()) == 11


def test_rows_of_a_day_that_is_about_to_be_dropped_are_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DROP_WAIT_SECONDS", 0)
    store(("T1", noon(5)))

    def ensured_and_dropped(*arguments: object) -> None:
        ensure_day_tables(*arguments)
        monkeypatch.setattr("lambda_app.layers.store.ensure_day_tables", ensure_day_tables)
        maintain(retention_days=3)

    monkeypatch.setattr("lambda_app.layers.store.ensure_day_tables", ensured_and_dropped)

    late = rows(("late", noon(5)))
    assert store(("late", noon(5)), expect_duplicates=True) == StoreResult(1, aggregates=late.aggregates)
    assert served(database) == recount(database)


def test_day_that_something_depends_on_is_not_half_dropped(database: Database) -> None:
    store(("T1", noon(5)))
    database.query(f"CREATE VIEW public.mine AS SELECT * FROM lambda.{partition(5)}")

    result = run_program(database.environment, "db", "maintain", "--retention-days", "4")

    assert result.returncode == 1
    assert (
        f"{noon(5).date()} is past retention and cannot be dropped: view public.mine depends on table" in result.stderr
    )
    assert "Traceback" not in result.stderr
    recompute(5)
    assert served(database, "batch_stats") == recount(database)


@pytest.mark.parametrize("zoned_database", ["America/Havana"], indirect=True)
def test_day_whose_midnight_comes_twice_is_not_recomputed_from_half_of_it(zoned_database: Database) -> None:
    # Its first half hour lies in the partition of the day before: PostgreSQL cuts at the second midnight.
    day = date(2025, 11, 2)
    store(("first pass", datetime(2025, 11, 2, 4, 30, tzinfo=UTC)), ("noon", datetime(2025, 11, 2, 17, tzinfo=UTC)))
    age = (datetime.now(ZoneInfo("America/Havana")).date() - day).days
    before = served(zoned_database)

    maintain(retention_days=age)
    assert zoned_database.count("transactions") == 2

    zoned_database.query("CREATE VIEW public.mine AS SELECT * FROM lambda.transactions_20251102")
    with pytest.raises(LambdaError, match="cannot be dropped: view public"):
        maintain(retention_days=age - 1)
    assert zoned_database.count("transactions") == 1
    # What is left of it would give a false truth.
    with pytest.raises(LambdaError, match="retention dropped its transactions"):
        list(recompute_days([day], SystemClock()))
    assert served(zoned_database) == before


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("query", range(1, 14))
def test_run_killed_at_each_query_is_finished_by_the_next(database: Database, query: int, moment: str) -> None:
    """Lock, today, list, then for 3 days index (3), count and record (6), drop (1)."""
    store(("T1", noon(1)), ("T1", noon(2)))
    truth = served(database)

    killed = subprocess.run(
        [*trapped(f"operate.maintenance _query {moment} SIGKILL {query}"), "db", "maintain", "--retention-days", "2"],
        env=database.environment,
        cwd=REPOSITORY,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    result = run_program(database.environment, "db", "maintain", "--retention-days", "2")

    assert result.returncode == 0, result.stderr
    assert partitions(database) == [partition(back) for back in (2, 1, 0, -1)]
    assert indexes(database) == [(f"{partition(back)}_id_idx", True) for back in (2, 1)]
    assert database.query(REPEATED) == [(noon(1).date(), 1)]
    assert database.query("SELECT day FROM lambda.batch_days WHERE dropped_at IS NOT NULL") == [(noon(3).date(),)]
    assert served(database) == truth == recount(database)


def test_two_runs_at_once_do_the_work_once(database: Database) -> None:
    store(*((f"T{back}", noon(back)) for back in range(8)))
    environment = {**database.environment, "LAMBDA_DB_MAINTAIN_RETENTION_DAYS": "3"}

    with Program(environment, "db", "maintain") as first, Program(environment, "db", "maintain") as second:
        assert first.process.wait(60) == 0, first.text
        assert second.process.wait(60) == 0, second.text
        text = first.text + second.text

    assert sorted(re.findall(r"(\S+) indexed by", text)) == [str(noon(back).date()) for back in range(8, 0, -1)]
    assert sorted(re.findall(r"(\S+) is past retention", text)) == [str(noon(back).date()) for back in range(8, 3, -1)]


def test_run_beside_one_that_takes_long_says_so_and_does_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "MAINTENANCE_LOCK_SECONDS", 0)

    with an_open_transaction(database, "SELECT pg_advisory_lock(6, 0)"):
        maintain()

    assert caplog.messages == ["Another maintenance is at work: nothing to do for this one"]
    assert partitions(database) == []


def test_retention_of_no_days_is_refused(database: Database) -> None:
    result = run_program(database.environment, "db", "maintain", "--retention-days", "0")

    assert result.returncode == 2
    assert "Invalid value for '--retention-days': 0 is not in the range x>=1" in result.stderr
