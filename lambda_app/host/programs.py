"""Other programs of this host, asked for what they print."""

import subprocess
from collections.abc import Sequence

TIMEOUT_SECONDS = 20


def output(command: Sequence[str]) -> str:
    """What a program prints, "" when it is not there, fails or takes too long."""
    try:
        result = subprocess.run(  # noqa: S603 - commands of ours
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout
