"""Where the files of this host are, which units and tests say by the environment."""

import os
import stat
from functools import cache
from pathlib import Path


def credential_path(name: str) -> Path | None:
    """The file of a credential (systemd's LoadCredential=), None when it was not given to this process."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory, name) if directory else None
    return path if path and path.is_file() else None


def lacks_credential(name: str) -> bool:
    """Whether this host has credentials, and not this one: each host has only those that its units load."""
    return "CREDENTIALS_DIRECTORY" in os.environ and credential_path(name) is None


def passfile_path(name: str) -> Path | None:
    """A credential as a file that libpq takes for a passfile, None when it was not given to this process."""
    path = credential_path(name)
    return path if path is None or _is_private(path) else _private_copy(path)


def _is_private(path: Path) -> bool:
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


@cache
def _private_copy(path: Path) -> Path:
    # libpq ignores a passfile that seems open to its group. A credential does since systemd 254, whose access list for
    # the unit's user shows as the rights of the group. The copy is in memory, and gone with the process.
    copy = os.memfd_create(path.name)
    os.fchmod(copy, stat.S_IRUSR)
    os.write(copy, path.read_bytes())
    return Path(f"/proc/self/fd/{copy}")


def batch_directory() -> Path:
    """Where the batch keeps its files (systemd's StateDirectory=)."""
    return Path(os.environ.get("STATE_DIRECTORY", "/var/lib/lambda/batch"))


def metrics_directory() -> Path | None:
    """Where a program leaves metrics for the node exporter, None when it shall not."""
    directory = os.environ.get("LAMBDA_METRICS_DIRECTORY")
    return Path(directory) if directory else None


def component() -> str | None:
    """Whose unit started this process, when it is one that runs and ends."""
    return os.environ.get("LAMBDA_COMPONENT") or None


def components_path() -> Path:
    """The table of components that Ansible has written."""
    return Path(os.environ.get("LAMBDA_COMPONENTS_FILE", "/etc/lambda/components.json"))


def hosts_path() -> Path:
    """The list of the platform's hosts that Ansible has written."""
    return Path(os.environ.get("LAMBDA_HOSTS_FILE", "/etc/lambda/hosts.json"))


def authorities_path() -> Path:
    """The certificates of the platform's authorities that Ansible has written; there where something speaks TLS."""
    return Path(os.environ.get("LAMBDA_AUTHORITIES_FILE", "/etc/lambda/ca.pem"))
