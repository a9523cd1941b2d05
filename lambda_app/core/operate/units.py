"""What `systemctl show` prints about units, as facts."""

import re
from dataclasses import dataclass, field

from lambda_app.core.operate.cgroup import CgroupUse, throttled_share
from lambda_app.core.operate.health import UnitFacts
from lambda_app.core.operate.timers import parse_shown_time

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MemoryCurrent",
    "MemoryMax",
    "CPUUsageNSec",
    "CPUQuotaPerSecUSec",
    "ControlGroup",
    "NRestarts",
    "NextElapseUSecRealtime",
)
# What systemd prints instead of a number that it does not know.
_UNSET = {"", "[not set]", "infinity", str(2**64 - 1)}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class UnitSample:
    """A unit at one moment; its CPU time says something only together with a later sample."""

    properties: dict[str, str]
    # CPU time since the unit started.
    cpu_seconds: float | None = None
    # What its control group says, where somebody has read it.
    use: CgroupUse = field(default_factory=CgroupUse)


def parse_units(text: str) -> dict[str, UnitSample]:
    """The units in the output of `systemctl show`: blocks of NAME=VALUE lines, an empty line between."""
    samples: dict[str, UnitSample] = {}
    for block in text.strip().split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in properties:
            nanoseconds = _number(properties.get("CPUUsageNSec", ""))
            cpu_seconds = None if nanoseconds is None else nanoseconds / 1e9
            samples[properties["Id"]] = UnitSample(properties, cpu_seconds)
    return samples


def unit_facts(earlier: UnitSample | None, later: UnitSample, seconds: float) -> UnitFacts:
    """A unit's facts from two samples; `seconds` is the time between them."""
    properties = later.properties
    return UnitFacts(
        loaded=properties.get("LoadState") == "loaded",
        active_state=properties.get("ActiveState", "unknown"),
        sub_state=properties.get("SubState", "unknown"),
        result=properties.get("Result", "success"),
        memory_bytes=_number(properties.get("MemoryCurrent", "")),
        memory_limit_bytes=_number(properties.get("MemoryMax", "")),
        cpu_share=_cpu_share(earlier, later, seconds),
        cpu_limit_share=_timespan_seconds(properties.get("CPUQuotaPerSecUSec", "")),
        restarts=_number(properties.get("NRestarts", "")),
        control_group=properties.get("ControlGroup", ""),
        throttled_share=throttled_share(earlier.use, later.use) if earlier else None,
        next_run_at=parse_shown_time(properties.get("NextElapseUSecRealtime", "")),
    )


def _cpu_share(earlier: UnitSample | None, later: UnitSample, seconds: float) -> float | None:
    if earlier is None or earlier.cpu_seconds is None or later.cpu_seconds is None or seconds <= 0:
        return None
    # The CPU time of a unit that was restarted in between begins at zero.
    return max(0.0, later.cpu_seconds - earlier.cpu_seconds) / seconds


def _number(text: str) -> int | None:
    return None if text in _UNSET else int(text)


def _timespan_seconds(text: str) -> float | None:
    """Seconds of a span like `1min 30s` or `250ms`.

    >>> _timespan_seconds("1s 500ms")
    1.5
    """
    if text in _UNSET:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(us|ms|s|min|h)\b", text))
