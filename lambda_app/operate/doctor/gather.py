"""All facts about this host, in a few seconds: rates are sampled, and a partition gets time to move."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from lambda_app.core.batch.job_files import INBOX
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import Answer, Blocker, HostFacts, Login, Topic, UnitState
from lambda_app.core.operate.health import is_as_expected
from lambda_app.core.operate.units import UnitSample
from lambda_app.database.connection import READER, Connection, connect
from lambda_app.errors import LambdaError
from lambda_app.host.clock import Clock
from lambda_app.host.environment import batch_directory
from lambda_app.operate.doctor import host, servers
from lambda_app.operate.doctor.units import sample_units, sample_uses, unit_states, unmasked
from lambda_app.operate.inbox import inbox_entries
from lambda_app.settings import Settings

Result = TypeVar("Result")
SAMPLE_SECONDS = 1.2
# How long a partition that does not move is watched: a new assignment of the group takes some seconds.
PATIENCE_SECONDS = 8.0


def gather_facts(
    config: Settings, clock: Clock, table: tuple[Component, ...], wanted_partitions: int | None
) -> HostFacts:
    """Takes some two seconds when all is well, longer when something does not answer or move."""
    start, errors = clock.monotonic(), list[str]()
    earlier = _sample(table, errors)
    uses = sample_uses(earlier)
    facts = HostFacts(
        unmasked=unmasked(),
        disks=host.disks(),
        unresolved=host.unresolved(config),
        wanted_partitions=wanted_partitions,
        batch_path=str(batch_directory()),
    )
    # A server that is known to be down is not waited for.
    facts = ask_servers(facts, unit_states(table, earlier, {}), config, clock)
    clock.sleep(max(0.0, start + SAMPLE_SECONDS - clock.monotonic()))
    units = unit_states(table, _sample(table, []), uses)
    inbox = _try(lambda: inbox_entries(batch_directory() / INBOX, clock), errors) or ()
    return replace(
        facts,
        units=units,
        taken_ports=host.taken_ports(units),
        paths=host.path_states(units),
        inbox=inbox,
        errors=facts.errors + tuple(errors),
    )


def _sample(table: tuple[Component, ...], errors: list[str]) -> dict[str, UnitSample]:
    return _try(lambda: sample_units(table), errors) or {}


def ask_servers(facts: HostFacts, units: dict[str, UnitState], config: Settings, clock: Clock) -> HostFacts:
    """The facts with those of the servers that can answer."""
    logins: list[Login] = []
    if _can_answer(things.POSTGRESQL, units):
        logins += servers.postgres_logins()
    if _can_answer(things.KAFKA, units):
        logins += servers.kafka_logins(config)
    good = {each.credential for each in logins if each.answer is Answer.GOOD}
    facts = replace(facts, logins=tuple(logins), clock=host.clock_state(None))
    errors: list[str] = []
    sampler = None
    if "kafka-consumer" in good:
        sampler = _try(lambda: servers.TopicSampler(config, things.SERVERS[things.KAFKA] in units), errors)
    if "pgpass-reader" not in good:
        topic = _try(lambda: sampler.look(None), errors) if sampler else None
        return replace(facts, topic=topic, errors=tuple(errors))
    try:
        with closing(connect(READER, "lambda-doctor")) as connection:
            offset = servers.clock_offset(connection, clock)
            topic, blockers = _watch(sampler, connection, clock)
            facts = replace(facts, topic=topic, clock=host.clock_state(offset))
            return replace(facts, database=servers.database_state(connection, blockers), errors=tuple(errors))
    except LambdaError as error:
        return replace(facts, errors=(*errors, str(error)))


def _can_answer(server: str, units: dict[str, UnitState]) -> bool:
    """Whether the server is on another host, or works here as far as systemd sees."""
    state = units.get(things.SERVERS[server])
    return state is None or (is_as_expected(state.component, state.facts) and not state.stopped_processes)


def _watch(
    sampler: servers.TopicSampler | None, connection: Connection, clock: Clock
) -> tuple[Topic | None, tuple[Blocker, ...]]:
    """The topic when all that waited has moved or patience is at its end, and who blocked all the time."""
    topic, blockers = sampler.look(connection) if sampler else None, servers.read_blockers(connection)
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while clock.monotonic() < deadline:
        is_still = topic is not None and any(partition not in topic.moved for partition in topic.waiting)
        if not blockers and not is_still:
            break
        clock.sleep(SAMPLE_SECONDS)
        topic, now = sampler.look(connection) if sampler else None, servers.read_blockers(connection)
        blockers = {process: now[process] for process in blockers if process in now}
    return topic, tuple(blockers.values())


def _try(ask: Callable[[], Result], errors: list[str]) -> Result | None:
    try:
        return ask()
    except LambdaError as error:
        errors.append(str(error))
        return None
