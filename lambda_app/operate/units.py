"""The units of this host, as systemd and their control groups show them."""

import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lambda_app.core.operate.components import Component
from lambda_app.core.operate.units import PROPERTIES, UnitSample, parse_cpu_stat, parse_units
from lambda_app.errors import LambdaError

SYSTEMCTL_TIMEOUT_SECONDS = 20


def show_units(table: Iterable[Component]) -> dict[str, UnitSample]:
    """What systemd says of each unit of the table, by its name. Raises LambdaError when systemd does not answer."""
    command = ["systemctl", "show", "--property", ",".join(PROPERTIES), *(row.unit for row in table)]
    try:
        result = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, timeout=SYSTEMCTL_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
        raise LambdaError(f"systemd does not answer: {' '.join(str(detail).split())}") from error
    return {name: _with_cpu_time(sample) for name, sample in parse_units(result.stdout).items()}


def _with_cpu_time(sample: UnitSample) -> UnitSample:
    group = sample.properties.get("ControlGroup")
    if sample.cpu_seconds is not None or not group:
        return sample
    try:
        text = Path(f"/sys/fs/cgroup/unified{group}/cpu.stat").read_text(encoding="ascii")
    except OSError:
        return sample
    return replace(sample, cpu_seconds=parse_cpu_stat(text))
