"""The table of checks: what comes first is said first. A new check is a function and its line here."""

from collections.abc import Callable, Iterable, Mapping

from lambda_app.core.operate.doctor import host, servers, units, work
from lambda_app.core.operate.doctor.facts import HostFacts
from lambda_app.core.operate.doctor.finding import Cause, Finding, causes

CHECKS: Mapping[str, Callable[[HostFacts], Iterable[Finding]]] = {
    "unit masked": units.masked,
    "unit file": units.missing,
    "unit files not read": units.unread,
    "Debian's own unit": units.foreign,
    "path": host.paths,
    "disk": host.disks,
    "name": host.names,
    "clock": host.clock,
    "limit": units.limits,
    "memory": units.killed_for_memory,
    "port taken": host.taken_ports,
    "process frozen": units.frozen,
    "server away": servers.away,
    "read-only": servers.read_only,
    "login refused": servers.logins,
    "topic": servers.topic,
    "schema": servers.schema,
    "lock": servers.blockers,
    "unit down": units.down,
    "CPU": units.throttled,
    "not at boot": units.not_enabled,
    "partition unread": work.unread,
    "job": work.jobs,
    "inbox": work.inbox,
    "dead letters": work.dead_letters,
    "not looked at": host.unasked,
}


def diagnose(facts: HostFacts) -> list[Cause]:
    """Each cause, with its consequences; empty when nothing is wrong."""
    return causes(finding for check in CHECKS.values() for finding in check(facts))
