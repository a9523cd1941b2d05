"""The nightly maintenance on a real PostgreSQL: does what is missing, holds nobody up, drops what it is to drop."""

import logging
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lambda_app import settings
from lambda_app.errors import LambdaError
from lambda_app.host.clock import SystemClock
from lambda_app.layers.recompute import recompute_days
from tests.support.closed_days import (
    REPEATED,
    SNAPSHOT,
    an_open_transaction,
    backend_waits,
    in_the_background,
    indexes,
    maintain,
    noon,
    partition,
    partitions,
    recompute,
    store,
)
from tests.support.fixtures import Database
from tests.support.postgres_server import PostgresServer
from tests.support.processes import REPOSITORY, wait_until
from tests.support.program import Program, run_program
from tests.support.recount import recount, served
from tests.support.trap import trapped


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
@pytest.mark.parametrize("query", range(1, 17))
def test_run_killed_at_each_query_is_finished_by_the_next(database: Database, query: int, moment: str) -> None:
    """Lock, today, partitions (2), list, lock_timeout, then for 3 days index (3), count and record (6), drop (1)."""
    store(("T1", noon(1)), ("T1", noon(2)))
    truth = served(database)

    killed = subprocess.run(
        [
            *trapped(f"database.queries Queries._execute {moment} SIGKILL {query}"),
            "db",
            "maintain",
            "--retention-days",
            "2",
        ],
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
    monkeypatch.setattr(settings, "LOCK_WAIT_SECONDS", 0)

    with an_open_transaction(database, "SELECT pg_advisory_lock(6, 0)"):
        maintain()

    assert caplog.messages == ["Another maintenance is at work: nothing to do for this one"]
    assert partitions(database) == []
