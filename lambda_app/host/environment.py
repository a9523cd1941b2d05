"""Where the files of this host are, which units and tests say by the environment."""

import os
from pathlib import Path


def credential_path(name: str) -> Path | None:
    """The file of a credential (systemd's LoadCredential=), None when it was not given to this process."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory, name) if directory else None
    return path if path and path.is_file() else None


def lacks_credential(name: str) -> bool:
    """Whether this host has credentials, and not this one: each host has only those that its units load."""
    return "CREDENTIALS_DIRECTORY" in os.environ and credential_path(name) is None


def batch_directory() -> Path:
    """Where the batch keeps its files (systemd's StateDirectory=)."""
    return Path(os.environ.get("STATE_DIRECTORY", "/var/lib/lambda/batch"))


def components_path() -> Path:
    """The table of components that Ansible has written."""
    return Path(os.environ.get("LAMBDA_COMPONENTS_FILE", "/etc/lambda/components.json"))
