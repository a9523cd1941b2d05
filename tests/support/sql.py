"""Statements of a test's own on a connection of a program."""

from collections.abc import Mapping

from lambda_app.database.connection import Connection


def fetch_all(
    connection: Connection, statement: str, values: Mapping[str, object] | None = None
) -> list[tuple[object, ...]]:
    """Runs a statement inside the caller's transaction and returns its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
