"""What the doctor knows of a host: gathered by operate/doctor, judged by the checks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.doctor.paths import NeededPath
from lambda_app.core.operate.health import JobFacts, UnitFacts


@dataclass(frozen=True, slots=True)
class UnitState:
    """A component's unit, if this host has it or had it."""

    component: Component
    facts: UnitFacts
    load_state: str = "loaded"
    # As `systemctl is-enabled` says it; "" for a unit that has no file.
    file_state: str = ""
    # Whether its file is the platform's own: Debian's units are enabled by other means.
    is_ours: bool = True
    needs_reload: bool = False
    exit_status: int = 0
    # Drop-ins that set CPUQuota= or MemoryMax=, beside the one of the table; and whether that one is there.
    other_limits: tuple[str, ...] = ()
    has_limits_file: bool = True
    # Names of the files that it loads as credentials.
    credentials: tuple[str, ...] = ()
    # Processes that a signal has stopped.
    stopped_processes: tuple[int, ...] = ()
    # Share of the sampled periods in which CPUQuota held it back; None: not sampled.
    throttled: float | None = None
    was_killed: "Killed | None" = None
    # Its last warning or error, "" when there is none.
    last_words: str = ""


@dataclass(frozen=True, slots=True)
class Killed:
    """A unit was killed a short time ago. With control groups of version 1 systemd does not know by whom."""

    for_memory: bool


# A line of lambda-alert: how a unit ended.
_ENDED = re.compile(r"^(\S+) failed \(([^()]*)\)", re.MULTILINE)


def killed_units(alerts: str) -> dict[str, Killed]:
    """The units that were killed when they failed last, by the lines of lambda-alert, oldest first."""
    ends = dict(_ENDED.findall(alerts))
    return {unit: Killed(end.startswith("oom-kill")) for unit, end in ends.items() if _is_kill(end)}


def _is_kill(end: str) -> bool:
    return end.startswith("oom-kill") or "signal KILL" in end


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port of a component on which something else listens."""

    number: int
    component: Component
    process: int
    program: str
    # The unit of that process, "" when it belongs to none.
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PathState:
    """A path that is needed, as it is; `mode` as chmod takes it."""

    needed: NeededPath
    exists: bool
    owner: str = ""
    group: str = ""
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system that holds a directory of the platform."""

    path: str
    free_bytes: int
    free_ratio: float
    # 1.0 where the file system counts no inodes.
    free_inodes_ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class ClockState:
    """The host's clock: against PostgreSQL's on another host, and as its NTP client sees it. None: not known."""

    offset_seconds: float | None = None
    can_ntp: bool = False
    ntp: bool = False
    synchronized: bool = False


class Answer(StrEnum):
    """How a server took a login."""

    GOOD = "good"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Login:
    """An attempt to log in as a program does."""

    server: str
    user: str
    credential: str
    answer: Answer
    # What the server or the client said, "" when all went well.
    said: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as the consumer sees it, at two moments."""

    name: str
    # None: not seen.
    partitions: int | None
    # What an administrator sees when the consumer sees nothing: None, not asked.
    exists: bool | None = None
    # By partition, records that wait, and whether the position moved in between.
    waiting: Mapping[int, int] = field(default_factory=dict)
    moved: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that programs of the platform have waited for, all the time that the doctor looked."""

    process: int
    user: str
    waiting: Sequence[str]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What PostgreSQL holds that needs a person."""

    missing_migrations: tuple[str, ...] = ()
    is_read_only: bool = False
    blockers: tuple[Blocker, ...] = ()
    open_letters: int = 0
    failed_jobs: tuple[JobFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything; what could not be asked is empty, and why stands among `errors`."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    # Debian's own units of the exporters, that are to be masked: those that are not, and whether they run.
    unmasked: Mapping[str, bool] = field(default_factory=dict)
    taken_ports: tuple[TakenPort, ...] = ()
    paths: tuple[PathState, ...] = ()
    disks: tuple[Disk, ...] = ()
    clock: ClockState = ClockState()
    # Names of servers that this host cannot resolve, by the server that has them.
    unresolved: Mapping[str, str] = field(default_factory=dict)
    logins: tuple[Login, ...] = ()
    topic: Topic | None = None
    # How many partitions the inventory asks for; None: not said.
    wanted_partitions: int | None = None
    database: DatabaseState | None = None
    inbox: tuple[InboxEntry, ...] = ()
    # Where the batch keeps its files.
    batch_path: str = ""
    errors: tuple[str, ...] = ()
