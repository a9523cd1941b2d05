"""Retention: transactions of old days are dropped, and nothing else, while others read and write."""

import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from lambda_app import settings
from lambda_app.core.transaction.outcome import StoreResult
from lambda_app.database.connection import BATCH, connect
from lambda_app.errors import LambdaError
from lambda_app.layers.day_tables import ensure_day_tables
from lambda_app.layers.recompute import dirty_days
from tests.support.closed_days import (
    all_but_transactions,
    an_open_transaction,
    backend_waits,
    in_the_background,
    maintain,
    noon,
    partition,
    partitions,
    recompute,
    rows,
    store,
)
from tests.support.fixtures import Database
from tests.support.processes import wait_until
from tests.support.program import run_program
from tests.support.recount import recount, served


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


def test_retention_of_no_days_is_refused(database: Database) -> None:
    result = run_program(database.environment, "db", "maintain", "--retention-days", "0")

    assert result.returncode == 2
    assert "Invalid value for '--retention-days': 0 is not in the range x>=1" in result.stderr
