"""The named queries of `sql/queries/`, run inside the caller's transaction."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from psycopg2.extras import execute_values

from lambda_app.database.connection import Connection

_ARRAY_SPECIAL = re.compile(r'(["\\])')
_ESCAPED = r"\\\1"


def fetch_all(
    connection: Connection, query: str, values: Mapping[str, object] | Sequence[object] | None = None
) -> list[tuple[object, ...]]:
    """Runs a query inside the caller's transaction and returns its rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def insert_many(
    connection: Connection, query: str, rows: Sequence[Sequence[object]], template: str
) -> list[tuple[object, ...]]:
    """Runs a query with one `VALUES %s` for all rows; gives what it returns."""
    with connection.cursor() as cursor:
        return list(execute_values(cursor, query, rows, template, fetch=True))


def array_literal(values: Iterable[str | int | None]) -> str:
    """An array as text, for `%s::text[]`: psycopg2 writes lists as expressions, which are slow to parse when long.

    >>> print(array_literal(["a", None, 'b"']), array_literal([1, 2]))
    {"a",NULL,"b\\""} {1,2}
    """
    values = list(values)
    # Most columns hold few values many times.
    elements = {value: _array_element(value) for value in set(values)}
    return "{" + ",".join([elements[value] for value in values]) + "}"


def _array_element(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f'"{_ARRAY_SPECIAL.sub(_ESCAPED, value)}"'


@cache
def queries(noun: str) -> Mapping[str, str]:
    """The named queries of sql/queries/NOUN.sql, each below a line `-- name --`."""
    text = resources.files("lambda_app").joinpath(f"sql/queries/{noun}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- (\w+) --\n", text, flags=re.MULTILINE)[1:]
    return {name: query.strip() for name, query in zip(parts[::2], parts[1::2], strict=True)}


def time_zone_name(connection: Connection) -> str:
    """The zone that cuts the days: the database's own setting, which no client may have overridden."""
    rows = fetch_all(connection, "SELECT lambda.time_zone()")
    return str(rows[0][0])
