"""Connections to PostgreSQL, their transactions, and its errors in the package's own classes.

Who connects is a libpq service (PGSERVICEFILE), its password a passfile among the credentials: no secret passes here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import psycopg2
import psycopg2.errors
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor, new_type, register_type
from psycopg2.extras import register_uuid

from lambda_app import settings
from lambda_app.core.certificates import with_remedy
from lambda_app.errors import AccessRefused, DatabaseUnavailable, InvalidConfiguration
from lambda_app.host.environment import passfile_path

Connection = connection
# Errors caused by the statement, not by the server: bad values; a missing table; and, as StatementRefused, any of them.
ValueRefused = (psycopg2.DataError, psycopg2.IntegrityError)
UndefinedTable = psycopg2.errors.UndefinedTable
# A lock could not be had within lock_timeout.
LockTimeout = psycopg2.errors.LockNotAvailable
# Another object depends on the one to be dropped.
DependentObjects = psycopg2.errors.DependentObjectsStillExist
StatementRefused = (*ValueRefused, psycopg2.ProgrammingError, psycopg2.NotSupportedError)

OWNER = "lambda-owner"
STREAM = "lambda-stream"
BATCH = "lambda-batch"
READER = "lambda-reader"

# The base of the errors that `translated_errors` does not translate.
DatabaseError = psycopg2.Error
_REFUSALS = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role .* does not exist|database .* does not exist|permission denied",
)
_MISCONFIGURATIONS = re.compile(
    r"definition of service .* not found|service file .* not found|invalid connection option"
    r"|certificate verify failed|root certificate file .* (?:does not exist|no certificate)|could not read root cert"
    r"|server certificate for .* does not match|server does not support SSL|invalid sslmode value"
)

# SQLSTATEs of a server that another connection may find, or find again: the connection failed (08), it shuts down, has
# crashed or is starting (57P01 to 57P03), ended an idle session (57P05, 25P03), is a standby or read-only (25006).
_AWAY = re.compile(r"08...|57P0[1235]|25P03|25006")


def _bytes(value: str | bytes | None, at: cursor) -> bytes | None:
    return None if value is None else bytes(psycopg2.BINARY(value, at))


_BYTES = new_type(psycopg2.BINARY.values, "BYTES", _bytes)


def connect(
    service: str,
    application_name: str = "lambda-app",
    server_settings: Mapping[str, str] = MappingProxyType({}),
) -> Connection:
    """Connects as a libpq service such as `lambda-stream`, with these parameters of the server for the session.

    Raises DatabaseUnavailable when trying again can help, AccessRefused or InvalidConfiguration when it cannot.
    """
    options = {
        "service": service,
        "application_name": application_name,
        "connect_timeout": str(settings.CONNECT_TIMEOUT_SECONDS),
        # So that a vanished peer is noticed within a minute, not after two hours.
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
    if server_settings:
        options["options"] = " ".join(
            "-c " + f"{name}={value}".replace(" ", "\\ ") for name, value in server_settings.items()
        )
    passfile = passfile_path("pgpass-" + service.removeprefix("lambda-"))
    if passfile:
        options["passfile"] = str(passfile)
    with translated_errors():
        made = psycopg2.connect("", connection_factory=connection, cursor_factory=None, **options)
    # What rows hold, as core knows it: psycopg2 gives uuid as text and bytea as a view of memory.
    register_uuid(conn_or_curs=made)  # type: ignore[no-untyped-call]
    register_type(_BYTES, made)
    return made


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns psycopg2's errors about the server (not about a statement's values) into the package's own."""
    try:
        yield
    except psycopg2.errors.InsufficientPrivilege as error:
        raise AccessRefused(f"PostgreSQL refuses: {_first_line(error)}") from error
    except (
        psycopg2.errors.UndefinedTable,
        psycopg2.errors.InvalidSchemaName,
        psycopg2.errors.UndefinedFunction,
    ) as error:
        raise AccessRefused(f"PostgreSQL lacks the schema ({_first_line(error)}): run lambda-app db migrate") from error
    except (psycopg2.InterfaceError, psycopg2.InternalError) as error:
        if not is_away(error):
            raise
        raise DatabaseUnavailable(f"PostgreSQL is away: {_first_line(error)}") from error
    except psycopg2.OperationalError as error:
        text = str(error)
        if error.pgcode is None and _MISCONFIGURATIONS.search(text):
            raise InvalidConfiguration(f"PostgreSQL connection: {with_remedy(_first_line(error))}") from error
        if error.pgcode is None and _REFUSALS.search(text):
            raise AccessRefused(f"PostgreSQL refuses: {_first_line(error)}") from error
        raise DatabaseUnavailable(f"PostgreSQL is away: {_first_line(error)}") from error


def is_away(error: psycopg2.Error) -> bool:
    """Whether an error is about the server as a whole, or the connection: the statement may go well on another one."""
    if error.pgcode is None:
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return bool(_AWAY.fullmatch(error.pgcode))


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commits at the end, rolls back on an exception; errors are translated."""
    with translated_errors():
        try:
            yield
            connection.commit()
        except BaseException:
            _roll_back(connection)
            raise


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undoes what happens inside when a statement fails there; the transaction goes on, the error too.

    Where nothing came before, rolling back the transaction undoes the same: nothing is sent for it.
    """
    if connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
        try:
            yield
        except StatementRefused:
            connection.rollback()
            raise
        return
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT inside")
        try:
            yield
        except StatementRefused:
            cursor.execute("ROLLBACK TO SAVEPOINT inside")
            raise
        cursor.execute("RELEASE SAVEPOINT inside")


def _roll_back(connection: Connection) -> None:
    # The rollback may fail because the connection is broken: the error that led here tells that better.
    try:
        connection.rollback()
    except psycopg2.Error:
        connection.close()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
