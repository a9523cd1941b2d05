"""Checks of the units: masked, gone, with other limits, at their limits, not enabled, stopped, failed."""

from collections.abc import Iterator
from itertools import chain

from lambda_app.core.operate.components import Kind
from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import HostFacts, UnitState
from lambda_app.core.operate.doctor.finding import Finding, Where
from lambda_app.core.operate.health import is_as_expected

DROP_INS = "/etc/systemd/system"
# Held back in nearly all periods: less is what a busy component looks like.
THROTTLED_RATIO = 0.9
_AWAY = Where.CONTROLLER
# How a unit is tried again. A job that waits to be tried again is started at once.
_RESTARTED = {Kind.SERVICE: "restart", Kind.SETUP: "start", Kind.JOB: "start"}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def masked(facts: HostFacts) -> Iterator[Finding]:
    """A unit that systemd may not start."""
    for name, state in facts.units.items():
        if state.load_state != "masked":
            continue
        service = things.service_of(state.component)
        about = things.file(name)
        if state.is_ours:
            # The link to /dev/null stands where the unit's file was.
            yield Finding(
                about, f"{name} is masked, and its unit file is gone", things.playbook(state.component), where=_AWAY
            )
        else:
            start = things.STARTED_BY.get(name, service)
            yield Finding(about, f"{name} is masked", f"systemctl unmask {service} && systemctl start {start}")


def missing(facts: HostFacts) -> Iterator[Finding]:
    """A unit whose file is gone or cannot be read."""
    for name, state in facts.units.items():
        if state.load_state not in {"loaded", "masked"}:
            cause = f"the unit file of {name} is gone or broken ({state.load_state})"
            yield Finding(things.file(name), cause, things.playbook(state.component), where=_AWAY)


def unread(facts: HostFacts) -> Iterator[Finding]:
    """Unit files that were changed since systemd read them."""
    # For one that is masked, unmasking reads them.
    names = [name for name, state in facts.units.items() if state.needs_reload and state.load_state != "masked"]
    if names:
        cause = f"unit files were changed and systemd has not read them: {', '.join(names)}"
        yield Finding(things.RELOAD, cause, "systemctl daemon-reload")


def limits(facts: HostFacts) -> Iterator[Finding]:
    """Limits that are not those of the table."""
    for name, state in facts.units.items():
        component = state.component
        if state.load_state != "loaded" or component.cpu_quota is None or component.memory_max is None:
            continue
        differences = _differences(state)
        if not differences:
            continue
        follows = frozenset({things.RELOAD, things.file(name)})
        where = f" by {', '.join(state.other_limits)}" if state.other_limits else ""
        cause = f"{name} has {' and '.join(differences)}{where}"
        own = f"{DROP_INS}/{component.unit}.d/10-limits.conf"
        if state.other_limits:
            edit = f"sed -i '/^CPUQuota=/d; /^MemoryMax=/d' {' '.join(state.other_limits)}"
        elif state.has_limits_file:
            quota, memory = f"CPUQuota={component.cpu_quota}", f"MemoryMax={component.memory_max}"
            edit = f"sed -i 's/^CPUQuota=.*/{quota}/; s/^MemoryMax=.*/{memory}/' {own}"
        else:
            cause += f": {own} is gone"
            yield Finding(things.limits(name), cause, things.playbook(component), follows, _AWAY)
            continue
        yield Finding(
            things.limits(name), cause, f"{edit} && systemctl daemon-reload{restart_when_down(state)}", follows
        )


def _differences(state: UnitState) -> list[str]:
    quota, memory = state.component.cpu_quota or "", state.component.memory_max or ""
    differences = []
    shown_quota = state.facts.cpu_limit_share
    if shown_quota is None or abs(shown_quota - float(quota.removesuffix("%")) / 100) > 1e-6:
        shown = "no CPU quota" if shown_quota is None else f"a CPU quota of {shown_quota:.0%}"
        differences.append(f"{shown} where the table says {quota}")
    shown_memory = state.facts.memory_limit_bytes
    if shown_memory != int(memory[:-1]) * _BINARY[memory[-1]]:
        shown = "no limit of memory" if shown_memory is None else f"a limit of memory of {shown_memory / 2**20:.0f}M"
        differences.append(f"{shown} where the table says {memory}")
    return differences


def killed_for_memory(facts: HostFacts) -> Iterator[Finding]:
    """A unit that needs more memory than it may have."""
    for name, state in facts.units.items():
        if state.was_killed is not None:
            by_whom = "" if state.was_killed.for_memory else ", or somebody killed it"
            cause = (
                f"{name} was killed for want of memory{by_whom}: its MemoryMax is {state.component.memory_max};"
                f" raise component_overrides.{name}.memory_max in the inventory"
            )
            follows = frozenset({things.limits(name)})
            yield Finding(things.memory(name), cause, things.playbook(state.component), follows, _AWAY)


def throttled(facts: HostFacts) -> Iterator[Finding]:
    """A service that waits for CPU time nearly all the time."""
    for name, state in facts.units.items():
        is_working = state.component.kind is Kind.SERVICE and state.facts.active_state == "active"
        if is_working and state.throttled is not None and state.throttled >= THROTTLED_RATIO:
            cause = (
                f"{name} was held back by its CPUQuota ({state.component.cpu_quota}) in {state.throttled:.0%}"
                f" of the time: raise component_overrides.{name}.cpu_quota in the inventory"
            )
            follows = frozenset({things.limits(name)})
            yield Finding(things.throttled(name), cause, things.playbook(state.component), follows, _AWAY)


def frozen(facts: HostFacts) -> Iterator[Finding]:
    """Processes that a signal has stopped."""
    for name, state in facts.units.items():
        if processes := state.stopped_processes:
            numbers = " ".join(map(str, processes))
            cause = f"{name} is frozen: somebody stopped process {numbers.replace(' ', ', ')} by a signal (SIGSTOP)"
            yield Finding(things.frozen(name), cause, f"kill -CONT {numbers}")


def not_enabled(facts: HostFacts) -> Iterator[Finding]:
    """A unit that a boot would leave out."""
    for name, state in facts.units.items():
        if state.is_ours and state.file_state == "disabled":
            cause = f"{name} is disabled: it does not start at a boot"
            yield Finding(things.enabled(name), cause, f"systemctl enable {things.service_of(state.component)}")


def foreign(facts: HostFacts) -> Iterator[Finding]:
    """Debian's own units of what the platform runs by its own."""
    for unit, is_running in facts.unmasked.items():
        ours = f"lambda-{unit.removeprefix('prometheus-')}"
        cause = f"Debian's {unit} {'runs' if is_running else 'is not masked'}: it takes the place of {ours}"
        yield Finding(things.file(unit), cause, f"systemctl mask --now {unit} && systemctl restart {ours}")


def down(facts: HostFacts) -> Iterator[Finding]:
    """A unit that is not as one of its kind is when all is well."""
    for name, state in facts.units.items():
        if state.load_state == "loaded" and not is_as_expected(state.component, state.facts):
            yield _down(name, state, facts)


def _down(name: str, state: UnitState, facts: HostFacts) -> Finding:
    component, unit = state.component, state.facts
    service = things.service_of(component)
    start = f"systemctl start {things.STARTED_BY.get(name, service)}"
    about, follows = things.unit(name), _explanations(name, state, facts)
    if component.kind is Kind.TARGET and name == things.TARGET:
        running = [each for each, other in facts.units.items() if _runs(other)]
        cause = f"{name} is not active although {', '.join(running)} run" if running else "the platform is stopped"
        return Finding(about, cause, start, follows)
    said = f"; it said: {state.last_words}" if state.last_words else ""
    how = f" ({unit.result}{f', exit status {state.exit_status}' if state.exit_status else ''})"
    if component.kind in {Kind.JOB, Kind.SETUP}:
        return Finding(about, f"{name} failed{how}: {component.failure}{said}", start, follows)
    if unit.active_state == "failed":
        return Finding(about, f"{name} failed{how}: {component.failure}{said}", f"systemctl restart {service}", follows)
    if unit.sub_state == "auto-restart":
        cause = f"{name} ends each time it is started{how}: {component.failure}{said}"
        return Finding(about, cause, f"journalctl --no-pager -n 20 -u {service}", follows, mends=False)
    if unit.active_state == "activating":
        return Finding(about, f"{name} is being started: {component.failure} until then{said}", start, follows)
    return Finding(about, f"{name} is stopped: {component.failure}", start, follows)


def _runs(state: UnitState) -> bool:
    return state.component.kind is Kind.SERVICE and state.facts.active_state == "active"


def _explanations(name: str, state: UnitState, facts: HostFacts) -> frozenset[str]:
    """What else may be why a unit is down."""
    needed = things.NEEDS.get(name, ())
    own = {things.file(name), things.limits(name), things.memory(name), things.frozen(name), things.throttled(name)}
    if name != things.TARGET:
        own.add(things.unit(things.TARGET))
    ports = (things.port(taken.number) for taken in facts.taken_ports if taken.component.name == name)
    paths = (things.path(each.needed.path) for each in facts.paths if name in each.needed.components)
    disks = (things.disk(each.path) for each in facts.disks)
    logins = (things.login(each.server, each.user) for each in facts.logins if each.credential in state.credentials)
    servers = (
        thing
        for server, component in things.SERVERS.items()
        if component in needed
        for thing in (things.server(server), things.read_only(server))
    )
    names = (things.host_name(each) for each in facts.unresolved)
    needs = chain.from_iterable((things.unit(each), things.file(each)) for each in needed)
    foreign_units = (things.file(each) for each in facts.unmasked if each.removeprefix("prometheus-") in name)
    others = {things.SCHEMA} if "lambda-db-setup" in needed else set()
    others |= {things.TOPIC} if "kafka" in needed else set()
    others |= {things.JOBS} if name == "lambda-csv-batch" else set()
    return frozenset(chain(own, ports, paths, disks, logins, servers, names, needs, foreign_units, others))


def restart_when_down(state: UnitState) -> str:
    """The end of a command after which a unit that is down can work: nothing for one that is up."""
    if state.component.kind not in _RESTARTED or is_as_expected(state.component, state.facts):
        return ""
    return f" && systemctl {_RESTARTED[state.component.kind]} {things.service_of(state.component)}"
