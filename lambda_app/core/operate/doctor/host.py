"""Checks of the host: ports, files, disks, clock, names."""

from collections.abc import Iterator
from shlex import quote

from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import HostFacts, PathState
from lambda_app.core.operate.doctor.finding import Finding, Where
from lambda_app.core.operate.doctor.units import restart_when_down
from lambda_app.core.operate.health import is_as_expected

# As monitoring/thresholds.yml has them for the alerts: disk_free_ratio, inodes_free_ratio, clock_difference_seconds.
FREE_RATIO = 0.1
FREE_INODES_RATIO = 0.1
CLOCK_SECONDS = 2.0


def taken_ports(facts: HostFacts) -> Iterator[Finding]:
    """A port on which something else listens, while the unit that needs it is down."""
    for taken in facts.taken_ports:
        state = facts.units[taken.component.name]
        if is_as_expected(state.component, state.facts):
            continue
        cause = f"port {taken.number} of {taken.component.name} is taken by {taken.program} (process {taken.process})"
        end = f"kill {taken.process} && sleep 1"
        if taken.unit:
            cause = f"{cause}, which {taken.unit} runs"
            end = f"systemctl stop {quote(taken.unit)}"
        follows = frozenset({things.file(taken.unit.removesuffix(".service"))})
        command = f"{end} && systemctl restart {things.service_of(taken.component)}"
        yield Finding(things.port(taken.number), cause, command, follows)


def paths(facts: HostFacts) -> Iterator[Finding]:
    """A file or directory that is gone, or not its owner's alone."""
    for state in facts.paths:
        needed = state.needed
        about = things.path(needed.path)
        # What lies in a directory that is gone is gone with it.
        follows = frozenset(
            things.path(other.needed.path)
            for other in facts.paths
            if not other.exists and needed.path.startswith(other.needed.path + "/")
        )
        if not state.exists:
            command = things.playbook(facts.units[needed.users(facts.units)[0]].component)
            yield Finding(about, f"{needed.path} is gone", command, follows, Where.CONTROLLER)
            continue
        wrong = _wrong_with(state)
        if wrong:
            causes, commands = zip(*wrong, strict=True)
            restarts = (restart_when_down(facts.units[each]) for each in needed.users(facts.units))
            command = " && ".join(commands) + "".join(restarts)
            yield Finding(about, f"{needed.path} {' and '.join(causes)}", command, follows)


def _wrong_with(state: PathState) -> list[tuple[str, str]]:
    """Each thing that is wrong with it, and the command."""
    needed, wrong = state.needed, []
    path, owner = quote(needed.path), needed.owner
    if (state.owner, state.group) != (owner, owner):
        recursive = " -R" if needed.is_tree else ""
        wrong.append(
            (f"belongs to {state.owner}:{state.group}, not to {owner}", f"chown{recursive} {owner}:{owner} {path}")
        )
    if state.mode != needed.mode:
        wrong.append(
            (f"has the mode {state.mode:04o} where it must be {needed.mode:04o}", f"chmod {needed.mode:04o} {path}")
        )
    return wrong


def disks(facts: HostFacts) -> Iterator[Finding]:
    """A file system with little space or few inodes left."""
    for disk in facts.disks:
        path = quote(disk.path)
        if disk.free_ratio < FREE_RATIO:
            cause = (
                f"the disk of {disk.path} is full: {disk.free_ratio:.0%} are free, {disk.free_bytes / 2**20:,.0f} MiB"
            )
            command = f"du -xh -d 3 {path} | sort -h | tail -n 15"
        elif disk.free_inodes_ratio < FREE_INODES_RATIO:
            free = f"{disk.free_inodes_ratio:.0%} of its inodes are free"
            cause = f"the disk of {disk.path} has no room for more files: {free}"
            command = f"du -x --inodes -d 3 {path} | sort -n | tail -n 15"
        else:
            continue
        yield Finding(things.disk(disk.path), cause, command, mends=False)


def clock(facts: HostFacts) -> Iterator[Finding]:
    """A clock that is off, or that nobody sets."""
    state = facts.clock
    offset = state.offset_seconds
    if offset is not None and abs(offset) > CLOCK_SECONDS:
        direction = "ahead of" if offset > 0 else "behind"
        cause = f"the clock is {abs(offset):,.0f} s {direction} that of PostgreSQL's host"
        yield Finding(things.CLOCK, cause, "timedatectl set-ntp true")
    elif state.can_ntp and not state.ntp:
        yield Finding(things.CLOCK, "nothing sets the clock: NTP is off", "timedatectl set-ntp true")
    elif state.can_ntp and not state.synchronized:
        cause = "the clock is not synchronized: the NTP client reaches no server"
        yield Finding(things.CLOCK, cause, "timedatectl timesync-status", mends=False)


def names(facts: HostFacts) -> Iterator[Finding]:
    """A server's name that this host cannot resolve."""
    for name, server in facts.unresolved.items():
        cause = (
            f"the name {name} of {server} is known neither to /etc/hosts nor to DNS: add it there,"
            " or mend the address in the inventory"
        )
        yield Finding(things.host_name(name), cause, f"getent ahosts {quote(name)}", mends=False)


def unasked(facts: HostFacts) -> Iterator[Finding]:
    """What could not be looked at."""
    for number, error in enumerate(facts.errors):
        yield Finding(f"error:{number}", error, "lambda-app status", mends=False)
