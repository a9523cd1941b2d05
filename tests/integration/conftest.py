"""Fixtures of the integration tests."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lambda_app.database.connection import STREAM, Connection, connect
from tests.support.fixtures import Database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(connect(STREAM)) as made:
        yield made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The batch's directory, with an inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path
