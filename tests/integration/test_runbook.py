"""Each query of the runbook is one that the schema knows and its role may run."""

import pytest

from lambda_app.database.connection import READER, connect
from tests.monitoring.test_runbook import commands
from tests.support.fixtures import Database

AS_READER = ["psql", "service=lambda", "-c"]
AS_SUPERUSER = ["runuser", "-u", "postgres", "--", "psql", "-c"]


def queries(call: list[str]) -> list[str]:
    """What the runbook runs by this call, without what ends somebody's session."""
    found = [words[-1] for words in commands() if words[:-1] == call]
    return sorted({query for query in found if "terminate" not in query})


@pytest.mark.parametrize("query", queries(AS_READER))
def test_reader_may_run_it(query: str, database: Database) -> None:
    connection = connect(READER, "test-runbook")
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            assert cursor.description
    finally:
        connection.close()


@pytest.mark.parametrize("query", queries(AS_SUPERUSER))
def test_superuser_may_run_it(query: str, database: Database) -> None:
    with_columns = database.query(f"SELECT count(*) FROM ({query}) AS answer")

    assert len(with_columns) == 1


def test_runbook_has_queries_of_both() -> None:
    assert len(queries(AS_READER)) >= 4
    assert len(queries(AS_SUPERUSER)) >= 8
