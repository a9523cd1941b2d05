"""The password of a role comes from a credential, whatever its mode says."""

import multiprocessing
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from lambda_app.database.connection import READER, connect
from lambda_app.host.environment import passfile_path
from tests.support.fixtures import Database


@pytest.fixture
def credentials(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Credentials as a unit gets them from systemd 254 on: their access list shows as the rights of the group."""
    directory = tmp_path / "credentials"
    shutil.copytree(database.environment["CREDENTIALS_DIRECTORY"], directory)
    for path in directory.iterdir():
        path.chmod(0o440)
    for name, value in {**database.environment, "CREDENTIALS_DIRECTORY": str(directory)}.items():
        monkeypatch.setenv(name, value)
    return directory


def user() -> str:
    with closing(connect(READER)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchall()[0][0])


def test_password_that_its_group_seems_to_read_is_used(credentials: Path) -> None:
    assert user() == "lambda_reader"


def test_worker_that_was_forked_has_it_too(credentials: Path) -> None:
    connect(READER).close()

    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(user) == "lambda_reader"


def test_copy_is_made_once_and_for_this_user_alone(credentials: Path) -> None:
    path = passfile_path("pgpass-reader")

    assert path == passfile_path("pgpass-reader")
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.read_bytes() == (credentials / "pgpass-reader").read_bytes()


def test_private_credential_is_used_as_it_is(credentials: Path) -> None:
    (credentials / "pgpass-reader").chmod(0o400)

    assert passfile_path("pgpass-reader") == credentials / "pgpass-reader"
    assert passfile_path("pgpass-nobody") is None
