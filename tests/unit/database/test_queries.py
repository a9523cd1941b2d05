"""The named queries: each is used, and what is wrong with a call is said before PostgreSQL hears of it."""

import ast
from importlib import resources

import psycopg2.extensions
import pytest

from lambda_app.database.queries import Queries
from tests.support.processes import REPOSITORY

NOUNS = [
    file.name.removesuffix(".sql")
    for file in resources.files("lambda_app").joinpath("sql/queries").iterdir()
    if file.name.endswith(".sql")
]
# Never connected to anything.
NOWHERE = psycopg2.extensions.connection.__new__(psycopg2.extensions.connection)


@pytest.fixture(scope="module")
def texts_of_modules() -> set[str]:
    """Each text that stands in a module of the package."""
    return {
        node.value
        for path in (REPOSITORY / "lambda_app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("noun", NOUNS)
def test_each_query_is_used_by_a_program(noun: str, texts_of_modules: set[str]) -> None:
    names = Queries(noun).texts.keys()

    assert names
    assert names - texts_of_modules == set()


def test_query_is_its_text_from_the_line_of_its_name_to_the_next() -> None:
    query = Queries("positions")["insert_gap"]

    assert query.startswith("-- ")
    assert "\nINSERT INTO lambda.stream_gaps (" in query
    assert query.endswith(";")


def test_query_that_is_not_there_is_said_by_name() -> None:
    with pytest.raises(LookupError, match=r"sql/queries/batch\.sql has no query jobs_to_rum"):
        Queries("batch").run(NOWHERE, "jobs_to_rum")


def test_value_that_is_not_given_is_said_by_name() -> None:
    with pytest.raises(TypeError, match=r"batch\.start_job lacks a value for attempts"):
        Queries("batch").run(NOWHERE, "start_job", id=1, attempt=2)
