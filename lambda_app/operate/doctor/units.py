"""The units of this host, with what systemctl, their files, their control groups and the journal say."""

import re
from collections.abc import Mapping
from pathlib import Path

from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.doctor.facts import Killed, UnitState, killed_units
from lambda_app.core.operate.health import is_as_expected
from lambda_app.core.operate.units import PROPERTIES, UnitSample, unit_facts
from lambda_app.host.cgroups import processes, read_use
from lambda_app.host.programs import output
from lambda_app.operate.units import show_units

_MORE_PROPERTIES = ("FragmentPath", "DropInPaths", "UnitFileState", "NeedDaemonReload", "ExecMainStatus")
_SYSTEM = Path("/etc/systemd/system")
_LIMITS = "10-limits.conf"
_LIMIT = re.compile(r"^(CPUQuota|MemoryMax)=", re.MULTILINE)
_CREDENTIAL = re.compile(r"^LoadCredential=([^:\s]+):", re.MULTILINE)
_ALERTS_SINCE = "-10min"
# Fewer periods say nothing.
_LEAST_PERIODS = 10
_UNMASKED = {"loaded", "bad-setting", "error"}


def sample_units(table: tuple[Component, ...]) -> dict[str, UnitSample]:
    """What systemd says now of each unit of the table."""
    return show_units(table, (*PROPERTIES, *_MORE_PROPERTIES))


def sample_uses(samples: Mapping[str, UnitSample]) -> dict[str, CgroupUse]:
    """What the units use now."""
    groups = {unit: sample.properties.get("ControlGroup", "") for unit, sample in samples.items()}
    return {unit: read_use(group) for unit, group in groups.items() if group}


def unit_states(
    table: tuple[Component, ...], samples: Mapping[str, UnitSample], earlier: Mapping[str, CgroupUse]
) -> dict[str, UnitState]:
    """The components that this host has or had, by name; `earlier` is what they used some seconds ago."""
    alerts = output(
        ["journalctl", "--no-pager", "--output=cat", "--identifier=lambda-alert", f"--since={_ALERTS_SINCE}"]
    )
    killed = killed_units(alerts)
    states = {}
    for component in table:
        sample = samples.get(component.unit)
        if sample and (sample.properties.get("LoadState") == "loaded" or _was_here(component)):
            states[component.name] = _state(component, sample, earlier.get(component.unit), killed)
    return states


def _was_here(component: Component) -> bool:
    """Whether Ansible has left traces of it. A drop-in of the user's own is none."""
    limits, enabled = _SYSTEM / f"{component.unit}.d" / _LIMITS, _SYSTEM / "lambda.target.wants" / component.unit
    return limits.is_file() or enabled.is_symlink()


def _state(
    component: Component, sample: UnitSample, earlier: CgroupUse | None, killed: Mapping[str, Killed]
) -> UnitState:
    properties, facts = sample.properties, unit_facts(None, sample, 0)
    drop_ins = [Path(each) for each in properties.get("DropInPaths", "").split()]
    texts = {path: _text(path) for path in (Path(properties.get("FragmentPath") or "/dev/null"), *drop_ins)}
    limit_files = [path for path in drop_ins if _LIMIT.search(texts[path])]
    is_down = not is_as_expected(component, facts)
    return UnitState(
        component,
        facts,
        load_state=properties.get("LoadState", "unknown"),
        file_state=properties.get("UnitFileState", ""),
        is_ours=not component.unit.startswith("postgresql@"),
        needs_reload=properties.get("NeedDaemonReload") == "yes",
        exit_status=int(properties.get("ExecMainStatus") or 0),
        other_limits=tuple(str(path) for path in limit_files if path.name != _LIMITS),
        has_limits_file=(_SYSTEM / f"{component.unit}.d" / _LIMITS).is_file(),
        credentials=tuple(sorted({name for text in texts.values() for name in _CREDENTIAL.findall(text)})),
        stopped_processes=tuple(each for each in processes(facts.control_group) if _is_stopped(each))
        if facts.control_group
        else (),
        throttled=_throttled(earlier, read_use(facts.control_group)) if facts.control_group and earlier else None,
        was_killed=_killed(component, is_down, facts.restarts or 0, killed),
        last_words=_last_words(component.unit) if is_down else "",
    )


def _killed(component: Component, is_down: bool, restarts: int, killed: Mapping[str, Killed]) -> Killed | None:
    """A start by hand sets the number of restarts to 0: what was before it is mended."""
    found = killed.get(component.unit)
    return found if found and (is_down or (found.for_memory and restarts)) else None


def _throttled(earlier: CgroupUse, later: CgroupUse) -> float | None:
    numbers = (earlier.periods, earlier.throttled_periods, later.periods, later.throttled_periods)
    if None in numbers:
        return None
    periods = (later.periods or 0) - (earlier.periods or 0)
    held_back = (later.throttled_periods or 0) - (earlier.throttled_periods or 0)
    return held_back / periods if periods >= _LEAST_PERIODS else None


def _is_stopped(process: int) -> bool:
    # The state follows the name, which stands in brackets and may hold any character.
    return _text(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()[:1] == ["T"]


def _last_words(unit: str) -> str:
    command = ["journalctl", "--no-pager", "--output=cat", "--lines=10", "--priority=warning", "--since=-2min"]
    lines = output([*command, f"--unit={unit}"]).splitlines()
    # What systemd and lambda-alert say of the unit begins so.
    own = [line for line in lines if line.strip() and not line.startswith((unit, "Failed to start"))]
    return own[-1].strip()[:300] if own else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def unmasked() -> dict[str, bool]:
    """Debian's units of what the platform runs itself: those that are not masked, and whether they run."""
    names = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-postgres-exporter")
    found = {}
    for name in names:
        shown = output(["systemctl", "show", "--property=LoadState,ActiveState", f"{name}.service"])
        properties = dict(line.partition("=")[::2] for line in shown.splitlines())
        # Only where ours is installed: a host without it may have Debian's.
        if (
            properties.get("LoadState") in _UNMASKED
            and (_SYSTEM / f"lambda-{name.removeprefix('prometheus-')}.service").exists()
        ):
            found[name] = properties.get("ActiveState") in {"active", "activating"}
    return found
