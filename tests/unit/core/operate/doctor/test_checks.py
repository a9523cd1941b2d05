"""The doctor's checks: nothing where all is well, and for each thing that is wrong its cause and the command."""

from dataclasses import replace
from datetime import date

import pytest

from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.core.certificates import with_remedy
from lambda_app.core.operate.components import Component, Kind
from lambda_app.core.operate.doctor.checks import CHECKS, diagnose
from lambda_app.core.operate.doctor.facts import (
    Answer,
    Blocker,
    ClockState,
    DatabaseState,
    Disk,
    HostFacts,
    Killed,
    Login,
    PathState,
    TakenPort,
    Topic,
    UnitState,
    killed_units,
)
from lambda_app.core.operate.doctor.finding import Where
from lambda_app.core.operate.doctor.paths import needed_paths
from lambda_app.core.operate.health import JobFacts, UnitFacts
from tests.support.components import TABLE

CREDENTIALS = {
    "kafka": ("kafka-jaas.conf",),
    "lambda-consumer": ("kafka-consumer", "pgpass-stream"),
    "lambda-producer": ("kafka-producer",),
    "lambda-db-setup": ("pgpass-owner",),
}
AWAY_SETTINGS = "ansible-playbook playbooks/"
JOB = JobFacts("BAT00007", date(2026, 11, 23), "failed", 3, None, "disk full")


def healthy_unit(component: Component) -> UnitState:
    quota = component.cpu_quota and float(component.cpu_quota.removesuffix("%")) / 100
    factor = {"M": 2**20, "G": 2**30}
    memory = component.memory_max and int(component.memory_max[:-1]) * factor[component.memory_max[-1]]
    is_job = component.kind is Kind.JOB
    return UnitState(
        component,
        UnitFacts(
            True,
            "inactive" if is_job else "active",
            "dead" if is_job else "running",
            memory_limit_bytes=memory,
            cpu_limit_share=quota,
        ),
        file_state="static" if is_job else "enabled",
        is_ours=component.name != "lambda-postgres",
        credentials=CREDENTIALS.get(component.name, ()),
        throttled=0.1,
    )


UNITS = {row.name: healthy_unit(row) for row in TABLE}
PATHS = tuple(
    PathState(each, True, each.owner, each.owner, each.mode)
    for each in needed_paths({name: (state.component.unit, state.credentials) for name, state in UNITS.items()})
)
LOGINS = (
    Login("postgresql", "lambda_reader", "pgpass-reader", Answer.GOOD),
    Login("postgresql", "lambda_stream", "pgpass-stream", Answer.GOOD),
    Login("kafka", "lambda-consumer", "kafka-consumer", Answer.GOOD),
)
HEALTHY = HostFacts(
    units=UNITS,
    paths=PATHS,
    disks=(Disk("/", 2**34, 0.5), Disk("/var/lib/kafka", 2**34, 0.3)),
    clock=ClockState(0.1, can_ntp=True, ntp=True, synchronized=True),
    logins=LOGINS,
    topic=Topic("transactions", 12, waiting={3: 5}, moved=frozenset({3})),
    wanted_partitions=12,
    database=DatabaseState(),
    inbox=(
        InboxEntry("a.csv", True, 1.0, 1.0),
        InboxEntry("b.part", True, 5.0, 5.0),
        InboxEntry(".hidden", True, 900, 900),
    ),
    batch_path="/var/lib/lambda/batch",
)


def with_unit(name: str, base: HostFacts = HEALTHY, **changes) -> HostFacts:
    state = base.units[name]
    of_state = {key: value for key, value in changes.items() if key in UnitState.__dataclass_fields__}
    of_facts = {key: value for key, value in changes.items() if key in UnitFacts.__dataclass_fields__}
    assert len(of_state) + len(of_facts) == len(changes)
    changed = replace(state, facts=replace(state.facts, **of_facts), **of_state)
    return replace(base, units={**base.units, name: changed})


def stopped(*names: str, base: HostFacts = HEALTHY) -> HostFacts:
    for name in names:
        base = with_unit(name, base, active_state="inactive", sub_state="dead")
    return base


def with_path(path: str, **changes) -> HostFacts:
    assert path in {each.needed.path for each in PATHS}
    return replace(
        HEALTHY,
        paths=tuple(replace(each, **changes) if each.needed.path == path else each for each in PATHS),
    )


def with_login(user: str, answer: Answer, said: str) -> HostFacts:
    return replace(
        HEALTHY, logins=tuple(replace(each, answer=answer, said=said) if each.user == user else each for each in LOGINS)
    )


def with_database(**changes) -> HostFacts:
    return replace(HEALTHY, database=DatabaseState(**changes))


def taken(component: str, number: int, unit: str = "") -> HostFacts:
    facts = stopped(component)
    return replace(facts, taken_ports=(TakenPort(number, UNITS[component].component, 123, "python3", unit),))


# Of the Debian that the table is for.
POSTGRES = UNITS["lambda-postgres"].component.unit.removesuffix(".service")
POSTGRES_DATA = next(each.needed.path for each in PATHS if each.needed.owner == "postgres")
LIMITS = "/etc/systemd/system/lambda-consumer.service.d/10-limits.conf"
# What is wrong, the check, what the cause says, the command.
CASES = [
    (
        with_unit("lambda-postgres", load_state="masked", active_state="inactive", needs_reload=True),
        "unit masked",
        "lambda-postgres is masked",
        f"systemctl unmask {POSTGRES} && systemctl start lambda-postgres.target",
    ),
    (
        with_unit("kafka", load_state="masked", active_state="inactive"),
        "unit masked",
        "kafka is masked, and its unit file is gone",
        "ansible-playbook playbooks/kafka.yml",
    ),
    (
        with_unit("lambda-verify", load_state="not-found", active_state="inactive"),
        "unit file",
        "the unit file of lambda-verify is gone or broken (not-found)",
        "ansible-playbook playbooks/app.yml",
    ),
    (
        with_unit("kafka", needs_reload=True),
        "unit files not read",
        "unit files were changed and systemd has not read them: kafka",
        "systemctl daemon-reload",
    ),
    (
        replace(HEALTHY, unmasked={"prometheus-node-exporter": True}),
        "Debian's own unit",
        "Debian's prometheus-node-exporter runs: it takes the place of lambda-node-exporter",
        "systemctl mask --now prometheus-node-exporter && systemctl restart lambda-node-exporter",
    ),
    (
        with_path("/var/lib/lambda/batch/inbox", owner="root", group="root", mode=0o755),
        "path",
        (
            "/var/lib/lambda/batch/inbox belongs to root:root, not to lambda-batch"
            " and has the mode 0755 where it must be 2770"
        ),
        "chown lambda-batch:lambda-batch /var/lib/lambda/batch/inbox && chmod 2770 /var/lib/lambda/batch/inbox",
    ),
    (
        with_path("/etc/lambda/credentials/pgpass-owner", mode=0o644),
        "path",
        "/etc/lambda/credentials/pgpass-owner has the mode 0644 where it must be 0600",
        "chmod 0600 /etc/lambda/credentials/pgpass-owner",
    ),
    (
        with_path("/etc/lambda/credentials/kafka-producer", exists=False),
        "path",
        "/etc/lambda/credentials/kafka-producer is gone",
        "ansible-playbook playbooks/app.yml",
    ),
    (
        with_path(POSTGRES_DATA, owner="root"),
        "path",
        f"{POSTGRES_DATA} belongs to root:postgres, not to postgres",
        f"chown -R postgres:postgres {POSTGRES_DATA}",
    ),
    (
        replace(HEALTHY, disks=(Disk("/var/lib/kafka", 5 * 2**20, 0.02),)),
        "disk",
        "the disk of /var/lib/kafka is full: 2% are free, 5 MiB",
        "du -xh -d 3 /var/lib/kafka | sort -h | tail -n 15",
    ),
    (
        replace(HEALTHY, disks=(Disk("/", 2**34, 0.5, 0.01),)),
        "disk",
        "the disk of / has no room for more files: 1% of its inodes are free",
        "du -x --inodes -d 3 / | sort -n | tail -n 15",
    ),
    (
        replace(HEALTHY, unresolved={"kafka.invalid": "Kafka"}),
        "name",
        "the name kafka.invalid of Kafka is known neither to /etc/hosts nor to DNS",
        "getent ahosts kafka.invalid",
    ),
    (
        replace(HEALTHY, clock=ClockState(-90.0)),
        "clock",
        "the clock is 90 s behind that of PostgreSQL's host",
        "timedatectl set-ntp true",
    ),
    (replace(HEALTHY, clock=ClockState(0.0, True)), "clock", "nothing sets the clock", "timedatectl set-ntp true"),
    (
        replace(HEALTHY, clock=ClockState(0.0, True, True)),
        "clock",
        "the clock is not synchronized",
        "timedatectl timesync-status",
    ),
    (
        with_unit("lambda-consumer", cpu_limit_share=0.02),
        "limit",
        "lambda-consumer has a CPU quota of 2% where the table says 400%",
        f"sed -i 's/^CPUQuota=.*/CPUQuota=400%/; s/^MemoryMax=.*/MemoryMax=2G/' {LIMITS} && systemctl daemon-reload",
    ),
    (
        with_unit("lambda-consumer", memory_limit_bytes=None, other_limits=("/run/a.conf", "/etc/b.conf")),
        "limit",
        "lambda-consumer has no limit of memory where the table says 2G by /run/a.conf, /etc/b.conf",
        "sed -i '/^CPUQuota=/d; /^MemoryMax=/d' /run/a.conf /etc/b.conf && systemctl daemon-reload",
    ),
    (
        with_unit("lambda-consumer", memory_limit_bytes=None, cpu_limit_share=None, has_limits_file=False),
        "limit",
        f"no limit of memory where the table says 2G: {LIMITS} is gone",
        "ansible-playbook playbooks/app.yml",
    ),
    (
        with_unit("lambda-consumer", active_state="activating", sub_state="auto-restart", was_killed=Killed(True)),
        "memory",
        "lambda-consumer was killed for want of memory: its MemoryMax is 2G; raise component_overrides.lambda-consumer",
        "ansible-playbook playbooks/app.yml",
    ),
    (
        taken("kafka", 9092),
        "port taken",
        "port 9092 of kafka is taken by python3 (process 123)",
        "kill 123 && sleep 1 && systemctl restart kafka",
    ),
    (
        taken("lambda-pgadmin", 8080, "apache2.service"),
        "port taken",
        "port 8080 of lambda-pgadmin is taken by python3 (process 123), which apache2.service runs",
        "systemctl stop apache2.service && systemctl restart lambda-pgadmin",
    ),
    (
        with_unit("lambda-consumer", stopped_processes=(7, 8)),
        "process frozen",
        "lambda-consumer is frozen: somebody stopped process 7, 8",
        "kill -CONT 7 8",
    ),
    (
        with_login("lambda-consumer", Answer.AWAY, "Kafka is away: no answer"),
        "server away",
        "Kafka runs and does not answer: Kafka is away: no answer",
        "systemctl restart kafka",
    ),
    (
        with_login("lambda_stream", Answer.REFUSED, "FATAL: password authentication failed"),
        "login refused",
        (
            "PostgreSQL refuses lambda_stream:"
            " the password in /etc/lambda/credentials/pgpass-stream is not the one that PostgreSQL has"
        ),
        "ansible-playbook playbooks/postgres.yml playbooks/app.yml",
    ),
    (
        with_login("lambda-consumer", Answer.REFUSED, "refuses the user lambda-consumer: wrong user or password"),
        "login refused",
        "Kafka refuses lambda-consumer: the password in /etc/lambda/credentials/kafka-consumer is not the one",
        "ansible-playbook playbooks/kafka.yml playbooks/app.yml",
    ),
    (
        with_login("lambda_stream", Answer.REFUSED, "no pg_hba.conf entry for host"),
        "login refused",
        "PostgreSQL refuses lambda_stream: no pg_hba.conf entry for host",
        "ansible-playbook playbooks/postgres.yml playbooks/app.yml",
    ),
    (
        with_login("lambda_stream", Answer.MISCONFIGURED, "no such service"),
        "login refused",
        "the connection of lambda_stream to PostgreSQL is not set up right: no such service",
        "ansible-playbook playbooks/app.yml",
    ),
    (
        with_login("lambda_stream", Answer.MISCONFIGURED, with_remedy("SSL error: certificate verify failed")),
        "login refused",
        (
            "the connection of lambda_stream to PostgreSQL is not set up right:"
            " SSL error: certificate verify failed; it has expired, or is of another authority"
        ),
        "ansible-playbook playbooks/operate/certificates.yml",
    ),
    (
        replace(HEALTHY, topic=Topic("transactions", None, exists=False)),
        "topic",
        "Kafka has no topic transactions",
        "kafka-topics --create --topic transactions --partitions 12",
    ),
    (
        replace(HEALTHY, topic=Topic("transactions", None, exists=True)),
        "topic",
        "Kafka hides the topic transactions from lambda-consumer",
        "ansible-playbook playbooks/kafka.yml",
    ),
    (
        replace(HEALTHY, topic=Topic("transactions", None)),
        "topic",
        "Kafka has no topic transactions, or hides it",
        "ansible-playbook playbooks/kafka.yml",
    ),
    (
        replace(HEALTHY, topic=Topic("transactions", 4)),
        "topic",
        "the topic transactions has 4 partitions where the inventory says 12",
        "kafka-topics --alter --topic transactions --partitions 12",
    ),
    (
        with_database(missing_migrations=("0008_add_x", "0009_add_y")),
        "schema",
        "the schema lacks migrations: 0008_add_x, 0009_add_y",
        "lambda-app db migrate",
    ),
    (
        with_database(is_read_only=True),
        "read-only",
        "PostgreSQL is read-only",
        (
            "runuser -u postgres -- psql -q -c 'ALTER DATABASE lambda RESET default_transaction_read_only'"
            " -c 'ALTER SYSTEM RESET default_transaction_read_only' -c 'SELECT pg_reload_conf()'"
        ),
    ),
    (
        with_database(blockers=(Blocker(42, "postgres", ("lambda_reader", "lambda_stream")),)),
        "lock",
        "a session of postgres (process 42) holds a lock, and keeps lambda_reader, lambda_stream waiting",
        "runuser -u postgres -- psql -q -c 'SELECT pg_terminate_backend(42)'",
    ),
    (stopped("kafka"), "unit down", "kafka is stopped: no message is taken or read", "systemctl start kafka"),
    (
        stopped("lambda-postgres", "lambda-postgres.target"),
        "unit down",
        "lambda-postgres is stopped",
        "systemctl start lambda-postgres.target",
    ),
    (
        stopped("lambda-cron-runner.timer"),
        "unit down",
        "lambda-cron-runner.timer is stopped: nothing starts lambda-cron-runner at midnight",
        "systemctl start lambda-cron-runner.timer",
    ),
    (
        stopped("lambda.target"),
        "unit down",
        "lambda.target is not active although kafka, lambda-producer",
        "systemctl start lambda.target",
    ),
    (stopped(*UNITS), "unit down", "the platform is stopped", "systemctl start lambda.target"),
    (
        with_unit("kafka", active_state="failed", result="exit-code", exit_status=1, last_words="no heap"),
        "unit down",
        (
            "kafka failed (exit-code, exit status 1): no message is taken or read,"
            " so the producer and the consumer wait; it said: no heap"
        ),
        "systemctl restart kafka",
    ),
    (
        with_unit("lambda-producer", active_state="activating", sub_state="auto-restart", result="exit-code"),
        "unit down",
        "lambda-producer ends each time it is started (exit-code): no transactions are generated",
        "journalctl --no-pager -n 20 -u lambda-producer",
    ),
    (
        with_unit("lambda-pgadmin", active_state="activating", sub_state="start"),
        "unit down",
        "lambda-pgadmin is being started: there is no web interface until then",
        "systemctl start lambda-pgadmin",
    ),
    (
        with_unit(
            "lambda-verify", active_state="failed", result="exit-code", exit_status=1, last_words="2 differences"
        ),
        "unit down",
        "lambda-verify failed (exit-code, exit status 1): what is stored differs",
        "systemctl start lambda-verify",
    ),
    (
        with_unit("lambda-prometheus", throttled=0.95),
        "CPU",
        "lambda-prometheus was held back by its CPUQuota (50%) in 95% of the time",
        "ansible-playbook playbooks/monitoring.yml",
    ),
    (
        with_unit("lambda.target", file_state="disabled"),
        "not at boot",
        "lambda.target is disabled: it does not start at a boot",
        "systemctl enable lambda.target",
    ),
    (
        replace(HEALTHY, topic=Topic("transactions", 12, waiting={3: 5, 4: 1000, 7: 1}, moved=frozenset({3}))),
        "partition unread",
        "partition 4, 7 of transactions is not read: 1,001 records wait and none is stored",
        "systemctl restart lambda-consumer",
    ),
    (
        with_database(failed_jobs=(JOB,)),
        "job",
        "BAT00007 for 2026-11-23 was given up: disk full",
        "lambda-app batch schedule --date 2026-11-23 && systemctl start lambda-csv-batch",
    ),
    (
        with_database(failed_jobs=(replace(JOB, file="a b.csv"),)),
        "job",
        "BAT00007 for a b.csv was given up: disk full; mend the file",
        "mv -n '/var/lib/lambda/batch/failed/BAT00007-a b.csv' '/var/lib/lambda/batch/inbox/a b.csv'",
    ),
    (
        replace(HEALTHY, inbox=(InboxEntry("$(x).txt", True, 61.0, 61.0),)),
        "inbox",
        "$(x).txt in the inbox is never taken: its name is not *.csv or *.csv.gz; if it is CSV, rename it",
        "mv -n '/var/lib/lambda/batch/inbox/$(x).txt' '/var/lib/lambda/batch/inbox/$(x).txt'.csv",
    ),
    (
        replace(HEALTHY, inbox=(InboxEntry("d", False, 61.0, 61.0),)),
        "inbox",
        "d in the inbox is never taken: it is no file",
        "ls -la /var/lib/lambda/batch/inbox/d",
    ),
    (
        replace(HEALTHY, inbox=(InboxEntry("a.csv", True, 601.0, 601.0),)),
        "inbox",
        "files of the inbox have waited for more than 10 minutes: a.csv",
        "systemctl start lambda-cron-runner",
    ),
    (
        with_database(open_letters=2),
        "dead letters",
        "2 dead letters are open",
        "lambda-app dead-letters list --by-reason",
    ),
    (
        replace(HEALTHY, errors=("systemd does not answer: timeout",)),
        "not looked at",
        "systemd does not answer: timeout",
        "lambda-app status",
    ),
]


def test_a_unit_was_killed_when_its_last_end_was_a_kill():
    alerts = (
        "a.service failed (oom-kill, signal KILL), systemd starts it again after 5s: see journalctl -u a.service\n"
        "b.service failed (signal, signal KILL), systemd does not start it again: see journalctl -u b.service\n"
        "c.service failed (signal, signal KILL), systemd starts it again after 5s: see journalctl -u c.service\n"
        "c.service failed (exit-code, exit status 1), systemd starts it again after 5s: see journalctl -u c.service\n"
    )

    assert killed_units(alerts) == {"a.service": Killed(True), "b.service": Killed(False)}


def test_nothing_is_wrong_on_a_healthy_host():
    assert diagnose(HEALTHY) == []


def test_nothing_is_wrong_on_a_host_with_nothing():
    assert diagnose(HostFacts()) == []


@pytest.mark.parametrize(("facts", "check", "cause", "command"), CASES)
def test_each_fault_is_one_cause_with_its_command(facts, check, cause, command):
    found = diagnose(facts)

    assert len(found) == 1, [each.finding.cause for each in found]
    assert cause in found[0].finding.cause
    assert found[0].finding.command == command
    assert found[0].finding in CHECKS[check](facts)
    assert (found[0].finding.where is Where.CONTROLLER) == command.startswith("ansible-playbook ")


def test_each_check_has_a_case():
    assert {check for _, check, _, _ in CASES} == set(CHECKS)


def consequences(facts: HostFacts) -> list[str]:
    (cause,) = diagnose(facts)
    return sorted(each.about for each in cause.consequences)


def waiting(facts: HostFacts) -> HostFacts:
    return replace(facts, topic=Topic("transactions", 12, waiting={1: 10}))


def test_what_needs_postgresql_follows_from_it():
    facts = stopped("lambda-postgres", "lambda-postgres.target")
    for name in ("lambda-consumer", "lambda-csv-batch", "lambda-db-setup", "lambda-pgadmin"):
        facts = with_unit(name, facts, active_state="activating", sub_state="auto-restart", result="exit-code")

    assert consequences(waiting(facts)) == [
        "stream",
        "unit:lambda-consumer",
        "unit:lambda-csv-batch",
        "unit:lambda-db-setup",
        "unit:lambda-pgadmin",
        "unit:lambda-postgres.target",
    ]


@pytest.mark.parametrize(
    "facts",
    [
        with_login("lambda_stream", Answer.REFUSED, "password"),
        with_login("lambda-consumer", Answer.REFUSED, "password"),
        with_unit("lambda-consumer", stopped_processes=(7,)),
        with_unit("lambda-consumer", cpu_limit_share=0.01),
        with_unit("lambda-consumer", was_killed=Killed(True)),
        with_path("/etc/lambda/credentials/pgpass-stream", exists=False),
        with_database(is_read_only=True),
        with_database(missing_migrations=("0001",)),
        replace(HEALTHY, disks=(Disk("/var/lib/postgresql", 0, 0.0),)),
        replace(HEALTHY, unresolved={"db": "PostgreSQL"}),
        stopped("kafka"),
        taken("kafka", 9092),
    ],
)
def test_a_consumer_that_is_down_and_reads_nothing_follows_from_the_cause(facts):
    facts = with_unit("lambda-consumer", facts, active_state="activating", sub_state="auto-restart")
    if facts.topic == HEALTHY.topic:
        facts = waiting(facts)

    assert {"stream", "unit:lambda-consumer"} <= set(consequences(facts))


def test_a_consumer_that_is_down_does_not_follow_from_what_it_does_not_need():
    facts = with_unit("lambda-consumer", stopped("lambda-pgadmin"), active_state="failed", result="watchdog")

    assert [cause.finding.about for cause in diagnose(facts)] == ["unit:lambda-consumer", "unit:lambda-pgadmin"]


def test_a_mended_path_starts_the_service_that_it_stopped():
    facts = with_path("/var/lib/kafka/data", owner="root", group="root")
    facts = with_unit("kafka", facts, active_state="failed", result="exit-code")

    (cause,) = diagnose(facts)

    assert cause.finding.command == "chown -R kafka:kafka /var/lib/kafka/data && systemctl restart kafka"
    assert [each.about for each in cause.consequences] == ["unit:kafka"]


def test_what_lies_in_a_missing_directory_follows_from_it():
    facts = replace(
        HEALTHY,
        paths=tuple(replace(each, exists=not each.needed.path.startswith("/etc/lambda/credentials")) for each in PATHS),
    )

    (cause,) = diagnose(facts)

    assert cause.finding.about == "path:/etc/lambda/credentials"


def test_a_taken_port_of_a_unit_that_works_is_no_fault():
    facts = replace(HEALTHY, taken_ports=(TakenPort(9092, UNITS["kafka"].component, 1, "java"),))

    assert diagnose(facts) == []
