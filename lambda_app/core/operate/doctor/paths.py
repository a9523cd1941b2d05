"""The files and directories that programs cannot do without, and whose they are. Ansible's roles make them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CREDENTIALS = "/etc/lambda/credentials"


@dataclass(frozen=True, slots=True)
class NeededPath:
    """A path as its role makes it."""

    path: str
    # User and group of this name.
    owner: str
    mode: int
    # The components that need it.
    components: tuple[str, ...]
    # Whether all below belongs to the owner too.
    is_tree: bool = False

    def users(self, units: Iterable[str]) -> list[str]:
        """The components among these that need it."""
        return [each for each in units if each in self.components]


_BATCH = ("lambda-cron-runner", "lambda-csv-batch", "lambda-verify")
_PROGRAMS = ("lambda-consumer", "lambda-producer", "lambda-db-setup", "lambda-db-maintenance", *_BATCH)
PATHS = (
    NeededPath("/etc/lambda/lambda.env", "root", 0o644, _PROGRAMS),
    NeededPath("/etc/lambda/pg_service.conf", "root", 0o644, _PROGRAMS),
    NeededPath("/var/lib/lambda/batch", "lambda-batch", 0o755, _BATCH),
    NeededPath("/var/lib/lambda/batch/inbox", "lambda-batch", 0o2770, _BATCH),
    NeededPath("/var/lib/lambda/metrics", "lambda-batch", 0o775, _BATCH),
    NeededPath("/etc/kafka/server.properties", "root", 0o644, ("kafka",)),
    NeededPath("/var/lib/kafka", "kafka", 0o750, ("kafka",)),
    NeededPath("/var/lib/kafka/data", "kafka", 0o750, ("kafka",), is_tree=True),
    NeededPath("/var/lib/pgadmin", "pgadmin", 0o700, ("lambda-pgadmin",), is_tree=True),
)


def needed_paths(units: Mapping[str, tuple[str, tuple[str, ...]]]) -> list[NeededPath]:
    """What the components of a host need; each has the name of its unit and those of the credentials it loads."""
    paths = [each for each in PATHS if any(name in units for name in each.components)]
    if "lambda-postgres" in units:
        paths.append(_postgres_data(units["lambda-postgres"][0]))
    users: dict[str, list[str]] = {}
    for name, (_, credentials) in units.items():
        for credential in credentials:
            users.setdefault(credential, []).append(name)
    if users:
        everybody = tuple(sorted({name for names in users.values() for name in names}))
        paths.append(NeededPath(CREDENTIALS, "root", 0o700, everybody))
    paths += [NeededPath(f"{CREDENTIALS}/{each}", "root", 0o600, tuple(names)) for each, names in users.items()]
    return paths


def _postgres_data(unit: str) -> NeededPath:
    """The directory of the cluster that Debian's unit serves.

    >>> _postgres_data("postgresql@VERSION-main.service").path
    '/var/lib/postgresql/VERSION/main'
    """
    version = re.sub(r"^postgresql@(.*)-main\.service$", r"\1", unit)
    return NeededPath(f"/var/lib/postgresql/{version}/main", "postgres", 0o700, ("lambda-postgres",), is_tree=True)
