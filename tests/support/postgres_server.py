"""A real PostgreSQL on a random loopback port, gone with the test process."""

import contextlib
import os
import pwd
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psycopg2

from tests.support.processes import end_with_parent, free_port, wait_until

# Whichever version this machine's Debian has; the newest of several.
POSTGRES_BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
ROLES = ("lambda_owner", "lambda_stream", "lambda_batch", "lambda_reader")


class PostgresServer:
    """A cluster of its own, with the four roles and their passwords as the installation makes them."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] = MappingProxyType({}),
        initdb_options: Sequence[str] = ("--encoding=UTF8", "--locale=C.UTF-8"),
    ) -> None:
        """`settings` go over those that make tests quick."""
        self.directory = directory
        self._settings = settings
        self._initdb_options = initdb_options
        self._data = directory / "data"
        self._log = directory / "log"
        self.port = free_port()
        self.password = uuid.uuid4().hex
        self.credentials = directory / "credentials"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None

    def create(self) -> None:
        if self._user:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
        self._run([POSTGRES_BIN / "initdb", "-D", self._data, *self._initdb_options, "-A", "trust", "-N"])
        access = "local all,replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self._data / "pg_hba.conf").write_text(access, encoding="utf-8")
        self.start()
        for role in ROLES:
            self.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{self.password}'")
        self.credentials.mkdir()
        for role in ROLES:
            passfile = self.credentials / role.replace("lambda_", "pgpass-")
            passfile.write_text(f"*:*:*:{role}:{self.password}\n", encoding="utf-8")
            passfile.chmod(0o600)

    def create_standby_of(self, primary: "PostgresServer", answers: bool = True) -> None:
        """Copies a running server and follows it; one without `answers` takes no connections as long as it does."""
        if self._user:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
        source = ["-h", primary.directory, "-p", str(primary.port), "-U", "postgres"]
        self._run(
            [POSTGRES_BIN / "pg_basebackup", "-D", self._data, *source, "--write-recovery-conf", "--checkpoint=fast"]
        )
        self.password, self.credentials = primary.password, primary.credentials
        self.start(answers)

    def start(self, answers: bool = True) -> None:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "log_min_messages": "warning",
            **self._settings,
        }
        command = [POSTGRES_BIN / "postgres", "-D", self._data, *(f"-c{k}={v}" for k, v in options.items())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=self._become_postgres, start_new_session=True
            )
        wait_until(self._answers if answers else self._refuses, what="PostgreSQL to answer")

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process, "PostgreSQL was stopped"
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown, SIGKILL a crash."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def create_database(self, name: str, template: str = "template0", time_zone: str = "UTC") -> None:
        self.execute(f"CREATE DATABASE {name} OWNER lambda_owner TEMPLATE {template}")
        self.execute(f"ALTER DATABASE {name} SET timezone = '{time_zone}'")
        self.execute(f"ALTER DATABASE {name} SET search_path = lambda")
        self.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        self.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(ROLES)}")
        if template != "template0":
            # A copy has the schema, not the rights on the database itself that came with it.
            self.execute(f"GRANT TEMPORARY ON DATABASE {name} TO lambda_stream, lambda_batch")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Runs a statement as the superuser, each in its own transaction."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """As the superuser, each statement in its own transaction."""
        connection = psycopg2.connect(host=str(self.directory), port=self.port, user="postgres", dbname=database)
        connection.autocommit = True
        return connection

    def service_file(self, database: str, *standbys: "PostgresServer", target: str = "any") -> Path:
        """A libpq service file for the four roles in a database, on whichever of the servers is of the target."""
        ports = [server.port for server in (self, *standbys)]
        server = (
            f"host={','.join(['127.0.0.1'] * len(ports))}\nport={','.join(map(str, ports))}\n"
            f"target_session_attrs={target}\n"
        )
        path = self.directory / f"pg_service_{database}.conf"
        path.write_text(
            "".join(f"[{role.replace('_', '-')}]\n{server}dbname={database}\nuser={role}\n" for role in ROLES),
            encoding="utf-8",
        )
        return path

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg2.OperationalError:
            assert self._process, "PostgreSQL was stopped"
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            return False
        return True

    def _refuses(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg2.OperationalError as error:
            assert self._process, "PostgreSQL was stopped"
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            return "the database system is" in str(error)
        return False

    def _become_postgres(self) -> None:
        if self._user:
            os.initgroups("postgres", self._user.pw_gid)
            os.setgid(self._user.pw_gid)
            os.setuid(self._user.pw_uid)
        end_with_parent()

    def _run(self, command: Sequence[str | Path]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=self._become_postgres, cwd="/")
