"""A finding, and how causes are told from their consequences."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """The machine on which a command is to be run."""

    HOST = "host"  # the one that the doctor looked at
    CONTROLLER = "controller"  # the one that deploys


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    # What it is wrong with, such as `unit:kafka`: see things.py.
    about: str
    # A sentence without its full stop.
    cause: str
    # For a shell, as it stands.
    command: str
    # When something is wrong with one of these too, this is a consequence of it.
    follows_from: frozenset[str] = frozenset()
    where: Where = Where.HOST
    # Whether the command mends it, or only shows what a person must decide.
    mends: bool = True


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding that no other one explains, and those that it explains."""

    finding: Finding
    consequences: tuple[Finding, ...] = ()


def causes(findings: Iterable[Finding]) -> list[Cause]:
    """The findings that nothing else explains, in their order, each with those that follow from it."""
    findings = list(findings)
    by_thing: dict[str, Finding] = {}
    for finding in findings:
        by_thing.setdefault(finding.about, finding)
    consequences: dict[str, list[Finding]] = {}
    found = []
    for finding in findings:
        root = _root(finding, by_thing)
        if root is finding:
            found.append(finding)
        else:
            consequences.setdefault(root.about, []).append(finding)
    explained = [Cause(finding, tuple(consequences.pop(finding.about, ()))) for finding in found]
    # Findings that follow from each other in a circle: nothing that is wrong may go unsaid.
    return explained + [Cause(finding) for circle in consequences.values() for finding in circle]


def _root(finding: Finding, by_thing: Mapping[str, Finding]) -> Finding:
    """The first cause, by way of the causes in between. In a circle, the last before it closes."""
    seen = {finding.about}
    while True:
        above = next((by_thing[thing] for thing in by_thing if thing in finding.follows_from - seen), None)
        if above is None:
            return finding
        finding = above
        seen.add(finding.about)
