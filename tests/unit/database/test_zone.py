"""The database's zone and date in the queries: asked for once, not for each row."""

import re
from importlib import resources

import pytest

from lambda_app.database.queries import Queries

FOLDER = resources.files("lambda_app").joinpath("sql/queries")
NOUNS = [file.name.removesuffix(".sql") for file in FOLDER.iterdir() if file.name.endswith(".sql")]
CALL = r"lambda\.(?:today|time_zone)\(\)"
ONCE = (
    rf"\(SELECT {CALL}\)",  # a subquery in an expression
    rf"\(SELECT {CALL} AS \w+ OFFSET 0\)",  # one in a FROM, which the planner does not pull up
    rf"^SELECT {CALL};",
    rf"VALUES \('inbox', {CALL},",  # one row
)


@pytest.mark.parametrize("noun", NOUNS)
def test_zone_is_asked_for_once_in_a_query(noun: str) -> None:
    for name, query in Queries(noun).texts.items():
        once = re.findall("|".join(ONCE), query, re.MULTILINE)
        assert len(once) == len(re.findall(CALL, query)), name


@pytest.mark.parametrize("noun", NOUNS)
def test_no_query_asks_the_session_for_its_zone(noun: str) -> None:
    for name, query in Queries(noun).texts.items():
        assert not re.search(r"current_date|localtime|current_setting|now\(\)::", query, re.IGNORECASE), name
