"""A unit's use and limits in the files of its control group, of version 1 or 2.

Version 2: https://docs.kernel.org/admin-guide/cgroup-v2.html. Version 1: admin-guide/cgroup-v1/ and
scheduler/sched-bwc.html beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# A limit so large is none: version 1 writes the largest number of pages in bytes.
_NO_LIMIT_BYTES = 2**62


@dataclass(frozen=True, slots=True)
class CgroupUse:
    """None where the kernel does not say, a limit of None is no limit."""

    cpu_seconds: float | None = None
    cpu_limit_cores: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None
    tasks: int | None = None
    tasks_limit: int | None = None
    memory_without_cache_bytes: int | None = None


# By controller, the files that are read: of version 1 they lie in a hierarchy of their own each.
V1_FILES: Mapping[str, tuple[str, ...]] = {
    "cpu": ("cpu.stat", "cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "cpuacct": ("cpuacct.usage",),
    "memory": ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control", "memory.stat"),
    "pids": ("pids.current", "pids.max"),
}
V2_FILES = (
    *("cpu.stat", "cpu.max"),
    *("memory.current", "memory.max", "memory.events", "memory.stat"),
    *("pids.current", "pids.max"),
)


def use_v1(files: Mapping[str, str]) -> CgroupUse:
    """From the contents of V1_FILES, those that could be read."""
    cpu = _pairs(files.get("cpu.stat", ""))
    quota, period = _number(files.get("cpu.cfs_quota_us")), _number(files.get("cpu.cfs_period_us"))
    nanoseconds = _number(files.get("cpuacct.usage"))
    memory, memory_limit = _number(files.get("memory.usage_in_bytes")), _number(files.get("memory.limit_in_bytes"))
    return CgroupUse(
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        cpu_limit_cores=quota / period if quota and period and quota > 0 else None,
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        memory_bytes=memory,
        memory_limit_bytes=memory_limit if memory_limit and memory_limit < _NO_LIMIT_BYTES else None,
        oom_kills=_pairs(files.get("memory.oom_control", "")).get("oom_kill"),
        tasks=_number(files.get("pids.current")),
        tasks_limit=_number(files.get("pids.max")),
        memory_without_cache_bytes=_without_cache(memory, files, "total_"),
    )


def use_v2(files: Mapping[str, str]) -> CgroupUse:
    """From the contents of V2_FILES, those that could be read."""
    cpu = _pairs(files.get("cpu.stat", ""))
    microseconds, memory = cpu.get("usage_usec"), _number(files.get("memory.current"))
    quota, _, period = files.get("cpu.max", "").strip().partition(" ")
    return CgroupUse(
        cpu_seconds=None if microseconds is None else microseconds / 1e6,
        cpu_limit_cores=int(quota) / int(period) if quota.isdigit() and period else None,
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        memory_bytes=memory,
        memory_limit_bytes=_number(files.get("memory.max")),
        oom_kills=_pairs(files.get("memory.events", "")).get("oom_kill"),
        tasks=_number(files.get("pids.current")),
        tasks_limit=_number(files.get("pids.max")),
        memory_without_cache_bytes=_without_cache(memory, files, ""),
    )


def throttled_share(earlier: CgroupUse, later: CgroupUse) -> float | None:
    """Of the periods between two looks in which the group had work, the share in which its quota held it back.

    >>> throttled_share(CgroupUse(periods=10, throttled_periods=1), CgroupUse(periods=20, throttled_periods=6))
    0.5
    """
    numbers = (earlier.periods, earlier.throttled_periods, later.periods, later.throttled_periods)
    if earlier.periods is None or later.periods is None or None in numbers:
        return None
    # The numbers of a unit that was restarted in between begin at zero.
    periods = later.periods - earlier.periods
    throttled = (later.throttled_periods or 0) - (earlier.throttled_periods or 0)
    return min(1.0, max(0, throttled) / periods) if periods > 0 else 0.0


def _without_cache(memory_bytes: int | None, files: Mapping[str, str], prefix: str) -> int | None:
    """Shared memory, PostgreSQL's buffers say, is no cache: the kernel keeps it on other lists than these two."""
    stat = _pairs(files.get("memory.stat", ""))
    cached = [stat.get(f"{prefix}{kind}_file") for kind in ("active", "inactive")]
    if memory_bytes is None or None in cached:
        return None
    # The three numbers are of different moments.
    return max(0, memory_bytes - sum(number or 0 for number in cached))


def _number(text: str | None) -> int | None:
    """A file of one number; `max` is none."""
    return None if text is None or text.strip() in {"", "max"} else int(text)


def _pairs(text: str) -> dict[str, int]:
    """A file of lines `name number`."""
    return {name: int(value) for name, _, value in (line.partition(" ") for line in text.splitlines()) if value}
