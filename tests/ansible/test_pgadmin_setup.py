"""The module pgadmin_setup: when it starts pgAdmin, and what it makes of login and server. pgAdmin is a stand-in."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.support import role_modules

pgadmin_setup = role_modules.load("pgadmin", "pgadmin_setup")


class Query:
    """The rows of a stand-in table that have these values."""

    def __init__(self, rows: list) -> None:
        self.rows = rows

    def filter_by(self, **values: object) -> "Query":
        return Query([row for row in self.rows if all(getattr(row, name) == value for name, value in values.items())])

    def order_by(self, _: object) -> "Query":
        return self

    def first(self) -> object:
        return self.rows[0] if self.rows else None

    one = first


class Session:
    """Adds to the table of the row's class."""

    commits = 0

    def add(self, row: object) -> None:
        type(row).query.rows.append(row)

    def flush(self) -> None:
        pass

    def commit(self) -> None:
        self.commits += 1


def table(name: str, **defaults: object) -> type:
    """A class whose instances are rows, without any row."""

    def make(self: object, **values: object) -> None:
        self.__dict__.update(defaults | {"id": len(rows) + 1} | values)

    rows: list = []
    return type(name, (), {"__init__": make, "query": Query(rows), "id": None})


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """pgAdmin's tables, with the one role that a login gets."""
    settings = {"service": None, "maintenance_db": None, "connection_params": None, "db_res": None, "db_res_type": None}
    tables = SimpleNamespace(
        User=table("User", locked=False, login_attempts=0, auth_source="internal"),
        Role=table("Role"),
        Server=table("Server", **settings),
        ServerGroup=table("ServerGroup"),
        db=SimpleNamespace(session=Session()),
    )
    tables.Role.query.rows.append(tables.Role(name="Administrator"))

    def create_user(values: dict) -> tuple[bool, str]:
        if values["email"] == "refused@example.com":
            return False, "no such domain"
        user = tables.User(username=values["email"], password=f"hash of {values['newPassword']}")
        tables.User.query.rows.append(user)
        return True, ""

    security = {
        "hash_password": "hash of {}".format,
        "verify_password": lambda given, known: known == f"hash of {given}",
    }
    fakes = {
        "flask_security.utils": security,
        "pgadmin.model": vars(tables),
        "pgadmin.tools.user_management": {"create_user": create_user},
    }
    for name, content in fakes.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    for package in ("flask_security", "pgadmin", "pgadmin.tools"):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    return tables


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(pgadmin_setup.metadata, "version", lambda _: "9.18")
    config = tmp_path / "config.py"
    config.write_text("SERVER_MODE = True\n")
    return {
        "email": "admin@example.com",
        "password": "a long password",
        "server_name": "Platform",
        "server_database": "lambda",
        "server_service": "lambda",
        "config": str(config),
        "stamp": str(tmp_path / "set-up"),
    }


def test_pgadmin_is_not_started_again_for_the_same_options(options: dict[str, str]) -> None:
    assert not pgadmin_setup.is_set_up(options)

    pgadmin_setup.remember(options)

    assert pgadmin_setup.is_set_up(options)
    assert options["password"] not in Path(options["stamp"]).read_text()


@pytest.mark.parametrize("changed", ["email", "password", "server_name", "server_database", "server_service"])
def test_another_option_starts_it(options: dict[str, str], changed: str) -> None:
    pgadmin_setup.remember(options)

    assert not pgadmin_setup.is_set_up(options | {changed: "another"})


def test_other_settings_and_another_version_start_it(options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    pgadmin_setup.remember(options)

    Path(options["config"]).write_text("SERVER_MODE = False\n")
    assert not pgadmin_setup.is_set_up(options)

    pgadmin_setup.remember(options)
    monkeypatch.setattr(pgadmin_setup.metadata, "version", lambda _: "9.19")
    assert not pgadmin_setup.is_set_up(options)


def test_stamp_that_is_cut_off_counts_as_none(options: dict[str, str]) -> None:
    Path(options["stamp"]).write_text("0123")

    assert not pgadmin_setup.is_set_up(options)


def test_login_is_created_then_kept_then_gets_the_new_password_and_is_unlocked(
    model: SimpleNamespace, options: dict[str, str]
) -> None:
    user, created = pgadmin_setup.set_login(options)
    _, kept = pgadmin_setup.set_login(options)
    user.locked, user.login_attempts = True, 5
    _, changed = pgadmin_setup.set_login(options | {"password": "another password"})

    assert (created, kept, changed) == (["created the login"], [], ["changed the login's password"])
    assert (user.password, user.locked, user.login_attempts) == ("hash of another password", False, 0)
    assert model.User.query.rows == [user]


def test_login_that_pgadmin_refuses_is_an_error_with_its_words(model: SimpleNamespace, options: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="no such domain"):
        pgadmin_setup.set_login(options | {"email": "refused@example.com"})


def test_server_is_added_once_and_follows_the_options(model: SimpleNamespace, options: dict[str, str]) -> None:
    user = SimpleNamespace(id=7)

    added = pgadmin_setup.set_server(options, user)
    kept = pgadmin_setup.set_server(options, user)
    changed = pgadmin_setup.set_server(options | {"server_database": "bank"}, user)

    (server,) = model.Server.query.rows
    assert (added[0], kept) == ("added the server", [])
    assert changed == ["set the server's maintenance_db", "set the server's db_res"]
    assert (server.user_id, server.service, server.maintenance_db, server.db_res) == (7, "lambda", "bank", "bank")
