"""The schema's numbered SQL files, applied in order by yoyo.

Safe to run twice and at once from several places: an advisory lock lets one in after the other, and each migration is
recorded in its own transaction, so that a kill leaves it wholly done or not at all.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from urllib.parse import urlencode

import yoyo
from yoyo.backends import DatabaseBackend

from lambda_app.database.connection import (
    OWNER,
    Connection,
    StatementRefused,
    connect,
    transaction,
    translated_errors,
)
from lambda_app.database.locks import Lock, take
from lambda_app.database.queries import Queries
from lambda_app.errors import LambdaError
from lambda_app.host.environment import passfile_path

# The schema of yoyo's own tables, apart from those that people look at.
BOOKKEEPING_SCHEMA = "lambda_migrations"
_QUERIES = Queries("doctor")
_FOLDER = resources.files("lambda_app").joinpath("sql/migrations")


def migrate() -> list[str]:
    """Applies what is missing and returns its names."""
    with _migrations() as (backend, migrations), translated_errors():
        missing = list(backend.to_apply(migrations))
        for migration in missing:
            _apply(backend, migration)
        return [migration.id for migration in missing]


def list_migrations() -> list[tuple[str, bool]]:
    """Each migration's name and whether it is applied."""
    with _migrations() as (backend, migrations), translated_errors():
        missing = {migration.id for migration in backend.to_apply(migrations)}
        return [(migration.id, migration.id not in missing) for migration in migrations]


def missing_migrations() -> list[str]:
    """The names of those that are not applied. Waits for no lock and changes nothing."""
    names = sorted(entry.name.removesuffix(".sql") for entry in _FOLDER.iterdir() if entry.name.endswith(".sql"))
    with closing(connect(OWNER, "lambda-doctor")) as connection, transaction(connection):
        if _QUERIES.value(connection, "has_migrations", bool):
            applied = set(_QUERIES.column(connection, "migrations", str))
            return [name for name in names if name not in applied]
    return names


@contextmanager
def _migrations() -> Iterator[tuple[DatabaseBackend, yoyo.migrations.MigrationList]]:
    connection = connect(OWNER, "lambda-db-setup")
    try:
        _prepare(connection)
        with resources.as_file(_FOLDER) as path, translated_errors(), yoyo.get_backend(_uri()) as backend:
            yield backend, yoyo.read_migrations(str(path))
    finally:
        # Closing the connection releases the lock, too.
        connection.close()


def _prepare(connection: Connection) -> None:
    connection.autocommit = True
    with translated_errors(), connection.cursor() as cursor:
        take(connection, Lock.MIGRATIONS, None)
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {BOOKKEEPING_SCHEMA}")


def _apply(backend: DatabaseBackend, migration: yoyo.migrations.Migration) -> None:
    try:
        _apply_and_record(backend, migration)
    except StatementRefused as error:
        raise LambdaError(f"Migration {migration.id} failed: {str(error).strip()}") from error


def _apply_and_record(backend: DatabaseBackend, migration: yoyo.migrations.Migration) -> None:
    # yoyo's own apply_one records the migration after its commit: a kill in between would run it twice.
    backend.ensure_internal_schema_updated()
    migration.load()
    if not migration.use_transactions:
        migration.process_steps(backend, "apply")
        with backend.transaction():
            backend.mark_one(migration)
        return
    with backend.transaction():
        backend.mark_one(migration)
        migration.process_steps(backend, "apply")


def _uri() -> str:
    passfile = passfile_path("pgpass-owner")
    options = {"service": OWNER, "schema": BOOKKEEPING_SCHEMA, "application_name": "lambda-db-setup"}
    if passfile:
        options["passfile"] = str(passfile)
    return "postgresql:?" + urlencode(options)
