"""The table of components, as Ansible deploys it: every unit of the platform, whichever host it is on."""

from enum import StrEnum

import msgspec

from lambda_app.errors import InvalidConfiguration


class Kind(StrEnum):
    """What a healthy unit of this kind looks like."""

    SERVICE = "service"  # is active
    SETUP = "setup"  # ran once, with success
    JOB = "job"  # may be at work or not, its last run did not fail
    TIMER = "timer"  # is active, waiting
    PATH = "path"  # is active, waiting
    TARGET = "target"  # is active


class Component(msgspec.Struct, frozen=True):
    """A row of the table."""

    unit: str
    kind: Kind
    # What it means for the platform when the unit fails: part of a sentence.
    failure: str
    # The units that start it.
    triggered_by: tuple[str, ...] = ()
    # As systemd writes them; a unit without limits shares those of its slice.
    cpu_quota: str | None = None
    memory_max: str | None = None
    # The hosts that have it, by their group in the inventory.
    group: str = ""
    # Where it shows metrics.
    metrics_port: int | None = None
    name: str = ""


def parse_components(text: bytes | str) -> tuple[Component, ...]:
    """The rows of the JSON that Ansible writes, in its order; raises InvalidConfiguration."""
    try:
        rows = msgspec.json.decode(text, type=dict[str, Component])
    except msgspec.MsgspecError as error:
        raise InvalidConfiguration(f"The table of components cannot be read: {error}") from error
    return tuple(msgspec.structs.replace(row, name=name) for name, row in rows.items())


def triggers(component: Component, table: tuple[Component, ...]) -> tuple[Component, ...]:
    """The timers and paths that start the component."""
    waiting = (row for row in table if row.kind in {Kind.TIMER, Kind.PATH})
    return tuple(row for row in waiting if row.unit in component.triggered_by)
