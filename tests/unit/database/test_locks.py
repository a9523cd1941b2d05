"""The classes of advisory locks: one enum, and whatever cannot use it says the same."""

import re

import pytest

from lambda_app.database.locks import Lock
from tests.support.processes import REPOSITORY

SQL = REPOSITORY / "lambda_app/sql"
LOCK_CALL = re.compile(r"\bpg_(?:try_)?advisory_(?:xact_)?(?:un)?lock(?:_shared)?\((.*?),")


def classes(folder: str) -> dict[str, set[str]]:
    """The first arguments of the lock functions, by file."""
    return {path.name: set(LOCK_CALL.findall(path.read_text(encoding="utf-8"))) for path in SQL.glob(f"{folder}/*.sql")}


def test_queries_get_the_class_as_a_value() -> None:
    assert set().union(*classes("queries").values()) == {"%(lock)s"}


@pytest.mark.parametrize("name", [path.name for path in SQL.glob("migrations/*.sql")])
def test_migrations_know_the_classes_of_what_functions_take(name: str) -> None:
    # A function of the database takes no other lock than that of the makers of partitions.
    assert classes("migrations")[name] <= {str(Lock.PARTITIONS.value)}


def test_makers_of_partitions_take_their_lock() -> None:
    assert f"pg_advisory_xact_lock({Lock.PARTITIONS}, 0)" in (SQL / "schema.sql").read_text(encoding="utf-8")
