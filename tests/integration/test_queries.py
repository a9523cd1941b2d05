"""Rows of PostgreSQL as objects: each column in the field of its name, and whatever does not fit is said."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from lambda_app.database.connection import READER, Connection, connect, transaction
from lambda_app.database.queries import Name, Queries, union_all
from tests.support.fixtures import Database


@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: str | None


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(connect(READER)) as connection, transaction(connection):
        yield connection


def queries(**texts: str) -> Queries:
    """Queries as a file made.sql would have them."""
    made = Queries("made")
    made.__dict__["texts"] = texts
    return made


def test_columns_go_into_the_fields_of_their_names_in_any_order(connection: Connection) -> None:
    pairs = queries(pairs='SELECT b AS "right", a AS "left" FROM (VALUES (1, %(b)s), (2, NULL)) AS v (a, b) ORDER BY a')

    assert pairs.rows(connection, "pairs", Pair, b="x") == [Pair(1, "x"), Pair(2, None)]


@pytest.mark.parametrize(
    "text",
    [
        'SELECT 1 AS "left" WHERE false',  # a field without a column, and no row that could show it
        'SELECT 1 AS "left", NULL AS "right", 2 AS above',  # a column without a field
        'SELECT 1 AS "left", 2 AS "left"',  # a column twice
    ],
)
def test_columns_that_are_not_the_fields_are_said(connection: Connection, text: str) -> None:
    with pytest.raises(TypeError, match=r"made\.pairs gives left.*; Pair has left, right"):
        queries(pairs=text).rows(connection, "pairs", Pair)


def test_only_row_is_one_or_none_and_two_are_an_error(connection: Connection) -> None:
    some = queries(some='SELECT n AS "left", NULL AS "right" FROM generate_series(1, %(count)s) AS n')

    assert some.row(connection, "some", Pair, count=0) is None
    assert some.row(connection, "some", Pair, count=1) == Pair(1, None)
    with pytest.raises(TypeError, match=r"made\.some gives 2 rows or columns where one is expected"):
        some.row(connection, "some", Pair, count=2)


def test_value_is_of_its_type_and_there(connection: Connection) -> None:
    some = queries(day="SELECT DATE '2026-06-15'", null="SELECT NULL", none="SELECT 1 WHERE false", two="SELECT 1, 2")

    assert some.value(connection, "day", date) == date(2026, 6, 15)
    assert some.value_or_none(connection, "day", date) == date(2026, 6, 15)
    assert some.value_or_none(connection, "null", date) is None
    assert some.value_or_none(connection, "none", date) is None
    with pytest.raises(TypeError, match=r"made.day gives datetime.date\(2026, 6, 15\) where int is expected"):
        some.value(connection, "day", int)
    with pytest.raises(TypeError, match=r"made\.null gives None where int is expected"):
        some.value(connection, "null", int)
    with pytest.raises(TypeError, match=r"made\.none gives 0 rows or columns where one is expected"):
        some.value(connection, "none", int)
    with pytest.raises(TypeError, match=r"made\.two gives 2 rows or columns where one is expected"):
        some.value_or_none(connection, "two", int)


def test_bytes_and_uuids_come_as_core_knows_them(connection: Connection) -> None:
    number = UUID(int=2**127 + 1)
    back = queries(
        bytes="SELECT %(value)s::bytea", uuid="SELECT %(value)s::uuid", hashes="SELECT ARRAY[%(value)s::uuid]"
    )

    assert back.value(connection, "bytes", bytes, value=b"\0\xff") == b"\0\xff"
    assert back.value(connection, "uuid", UUID, value=number) == number
    assert back.value(connection, "hashes", list, value=number) == [number]


def test_names_and_parts_are_values_like_others(connection: Connection) -> None:
    some = queries(
        part="-- Said.\nSELECT oid::int, %(word)s AS word FROM pg_catalog.%(table)s WHERE relname = 'pg_class';",
        whole="SELECT count(*) FROM (%(parts)s) AS parts WHERE word LIKE %(pattern)s",
    )
    words = ("100%", "%(pattern)s", "'; DROP TABLE x; --")

    parts = union_all(some.part(connection, "part", table=Name("pg_class"), word=word) for word in words)

    assert some.value(connection, "whole", int, parts=parts, pattern="%%") == 3
    assert some.value(connection, "whole", int, parts=parts, pattern="100_") == 1
    with pytest.raises(Exception, match=r'relation "pg_catalog\.pg_class; DROP" does not exist'):
        some.run(connection, "part", table=Name("pg_class; DROP"), word="")


def test_run_gives_how_many_rows(connection: Connection) -> None:
    some = queries(some="SELECT generate_series(1, %(count)s)", lock="SELECT 1; SELECT 2 FROM generate_series(1, 4)")

    assert some.run(connection, "some", count=3) == 3
    assert some.run(connection, "lock") == 4
