"""The units of this host, as systemd and their control groups show them."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lambda_app.core.operate.components import Component
from lambda_app.core.operate.units import PROPERTIES, UnitSample, parse_units
from lambda_app.errors import LambdaError
from lambda_app.host.cgroups import read_use

SYSTEMCTL_TIMEOUT_SECONDS = 20


def show_units(table: Iterable[Component], properties: Sequence[str] = PROPERTIES) -> dict[str, UnitSample]:
    """What systemd says of each unit of the table, by its name. Raises LambdaError when systemd does not answer."""
    command = ["systemctl", "show", "--property", ",".join(properties), *(row.unit for row in table)]
    try:
        result = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, timeout=SYSTEMCTL_TIMEOUT_SECONDS, check=True, env=_environment()
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
        raise LambdaError(f"systemd does not answer: {' '.join(str(detail).split())}") from error
    return parse_units(result.stdout)


def _environment() -> dict[str, str]:
    """That of this process, with times in UTC and in English."""
    return {**os.environ, "TZ": "UTC", "LC_ALL": "C"}


def with_use(samples: Mapping[str, UnitSample]) -> dict[str, UnitSample]:
    """The same units with what their control groups say."""
    return {name: _with_use(sample) for name, sample in samples.items()}


def _with_use(sample: UnitSample) -> UnitSample:
    group = sample.properties.get("ControlGroup")
    if not group:
        return sample
    use = read_use(group)
    # systemd does not count CPU time where both versions of control groups are mounted.
    return replace(sample, use=use, cpu_seconds=use.cpu_seconds if sample.cpu_seconds is None else sample.cpu_seconds)
