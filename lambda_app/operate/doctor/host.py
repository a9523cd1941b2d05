"""The host itself: ports, paths, disks, clock, names."""

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import ClockState, Disk, PathState, TakenPort, UnitState
from lambda_app.core.operate.doctor.paths import NeededPath, needed_paths
from lambda_app.host.programs import output
from lambda_app.settings import Settings

# Where the platform keeps what grows.
_GROWING = (
    "/var/lib/lambda",
    "/var/lib/lambda/batch",
    "/var/lib/lambda/metrics",
    "/var/lib/kafka",
    "/var/lib/postgresql",
    "/var/lib/pgadmin",
    "/var/lib/lambda-prometheus",
    "/var/log",
    "/etc/lambda",
)
_LISTENER = re.compile(r'\("(?P<program>[^"]*)",pid=(?P<process>\d+)')
_KAFKA_PORT = re.compile(r"^listeners=(.*)$", re.MULTILINE)
_PGADMIN_PORT = re.compile(r'^bind = ".*:(\d+)"$', re.MULTILINE)


def path_states(units: Mapping[str, UnitState]) -> tuple[PathState, ...]:
    """The paths that the units need, as they are."""
    needed = needed_paths({name: (state.component.unit, state.credentials) for name, state in units.items()})
    return tuple(_path_state(each) for each in needed)


def _path_state(needed: NeededPath) -> PathState:
    path = Path(needed.path)
    try:
        status = path.stat()
        return PathState(needed, True, path.owner(), path.group(), S_IMODE(status.st_mode))
    except KeyError:
        # A user or group that is no more.
        return PathState(needed, True, str(status.st_uid), str(status.st_gid), S_IMODE(status.st_mode))
    except OSError:
        return PathState(needed, False)


def disks() -> tuple[Disk, ...]:
    """The file systems of the platform's directories, each once."""
    found: dict[int, Disk] = {}
    for path in ("/", *_GROWING):
        with suppress(OSError):
            device, figures = os.stat(path).st_dev, os.statvfs(path)
            if device in found or not figures.f_blocks:
                continue
            free = figures.f_bavail
            found[device] = Disk(
                path,
                free * figures.f_frsize,
                free / figures.f_blocks,
                figures.f_favail / figures.f_files if figures.f_files else 1.0,
            )
    return tuple(found.values())


def clock_state(offset_seconds: float | None) -> ClockState:
    """How the clock is kept; `offset_seconds` is known by another host."""
    shown = output(["timedatectl", "show", "--property=CanNTP,NTP,NTPSynchronized"])
    said = dict(line.partition("=")[::2] for line in shown.splitlines())
    return ClockState(
        offset_seconds, said.get("CanNTP") == "yes", said.get("NTP") == "yes", said.get("NTPSynchronized") == "yes"
    )


def postgres_address() -> tuple[str, int] | None:
    """Host and port of PostgreSQL, by the services of libpq; None where this host has none."""
    services = ConfigParser(interpolation=None)
    try:
        services.read(os.environ.get("PGSERVICEFILE", "/etc/lambda/pg_service.conf"))
        section = next(services[name] for name in services.sections() if name.startswith("lambda-"))
        return section["host"], int(section.get("port", "5432"))
    except (StopIteration, KeyError, ValueError, ConfigError, OSError):
        return None


def unresolved(config: Settings) -> dict[str, str]:
    """Names of servers that this host does not know, by the server that has them."""
    names = {each.rpartition(":")[0].strip("[]"): "Kafka" for each in config.kafka_bootstrap_servers.split(",")}
    postgres = postgres_address()
    if postgres and not postgres[0].startswith("/"):
        names[postgres[0]] = "PostgreSQL"
    return {name: server for name, server in names.items() if not _resolves(name)}


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return True


def taken_ports(units: Mapping[str, UnitState]) -> tuple[TakenPort, ...]:
    """The ports of the units on which a process of something else listens."""
    owners = {port: state for state in units.values() for port in _ports(state)}
    return tuple(_taken(output(["ss", "-Hltnp"]).splitlines(), owners))


def _ports(state: UnitState) -> Iterator[int]:
    component = state.component
    if component.metrics_port:
        yield component.metrics_port
    if component.name == things.SERVERS[things.KAFKA]:
        for listeners in _KAFKA_PORT.findall(_read("/etc/kafka/server.properties")):
            yield from (int(port) for port in re.findall(r":(\d+)(?:,|$)", listeners))
    elif component.name == things.SERVERS[things.POSTGRESQL]:
        address = postgres_address()
        yield address[1] if address else 5432
    elif component.name == "lambda-pgadmin":
        yield from map(int, _PGADMIN_PORT.findall(_read("/etc/pgadmin/gunicorn.conf.py")))


def _taken(lines: Iterable[str], owners: Mapping[int, UnitState]) -> Iterator[TakenPort]:
    seen = set()
    for line in lines:
        words = line.split()
        port = int(words[3].rpartition(":")[2]) if len(words) > 3 else 0
        if port not in owners:
            continue
        component = owners[port].component
        for match in _LISTENER.finditer(line):
            process = int(match["process"])
            if (port, process) in seen or f"/{component.unit}" in _read(f"/proc/{process}/cgroup"):
                continue
            seen.add((port, process))
            yield TakenPort(port, component, process, match["program"], _unit_of(process))


def _unit_of(process: int) -> str:
    """The service whose main process it is; "" for one that a shell started, say."""
    units: list[str] = re.findall(r"/([\w@.\\-]+\.service)", _read(f"/proc/{process}/cgroup"))
    if units and output(["systemctl", "show", "--property=MainPID", "--value", units[-1]]).strip() == str(process):
        return units[-1]
    return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
