"""Checks of Kafka and PostgreSQL as the programs find them: logins, topic, schema, sessions in the way."""

from collections.abc import Iterator
from shlex import quote

from lambda_app.core.certificates import RENEWAL
from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import Answer, HostFacts, Login
from lambda_app.core.operate.doctor.finding import Finding, Where

# By server, the playbooks that set a password there and in the file on the host.
_PASSWORDS = {
    things.KAFKA: things.playbooks("kafka", "app"),
    things.POSTGRESQL: things.playbooks("postgres", "app"),
}
_LABELS = {things.KAFKA: "Kafka", things.POSTGRESQL: "PostgreSQL"}


def away(facts: HostFacts) -> Iterator[Finding]:
    """A server that does not answer."""
    for server, component in things.SERVERS.items():
        logins = [each for each in facts.logins if each.server == server and each.answer is Answer.AWAY]
        if not logins:
            continue
        follows = frozenset({things.unit(component), things.frozen(component), things.unit(things.TARGET)}) | frozenset(
            things.host_name(each) for each in facts.unresolved
        )
        if component in facts.units:
            service = things.service_of(facts.units[component].component)
            cause, command = (
                f"{_LABELS[server]} runs and does not answer: {logins[0].said}",
                f"systemctl restart {service}",
            )
        else:
            cause = f"{_LABELS[server]} does not answer, on its own host: {logins[0].said}"
            command = "grep -E 'host=|SERVERS=' /etc/lambda/pg_service.conf /etc/lambda/lambda.env"
        yield Finding(things.server(server), cause, command, follows, mends=component in facts.units)


def logins(facts: HostFacts) -> Iterator[Finding]:
    """A program's login that a server refuses."""
    for each in facts.logins:
        if each.answer in {Answer.REFUSED, Answer.MISCONFIGURED}:
            yield _refused(each)


def _refused(login: Login) -> Finding:
    about, label = things.login(login.server, login.user), _LABELS[login.server]
    follows = frozenset({things.path("/etc/lambda/pg_service.conf"), things.path("/etc/lambda/lambda.env")})
    if login.answer is Answer.MISCONFIGURED:
        cause = f"the connection of {login.user} to {label} is not set up right: {login.said}"
        playbook = "operate/certificates" if RENEWAL in login.said else "app"
        return Finding(about, cause, things.playbooks(playbook), follows, Where.CONTROLLER)
    is_password = "password" in login.said
    what = f"the password in /etc/lambda/credentials/{login.credential} is not the one that {label} has"
    cause = f"{label} refuses {login.user}: {what if is_password else login.said}"
    return Finding(about, cause, _PASSWORDS[login.server], follows, Where.CONTROLLER)


def topic(facts: HostFacts) -> Iterator[Finding]:
    """The topic is missing, hidden, or has fewer partitions than the inventory asks for."""
    found, wanted = facts.topic, facts.wanted_partitions
    if found is None:
        return
    name = quote(found.name)
    if found.partitions is None and found.exists:
        cause = f"Kafka hides the topic {found.name} from lambda-consumer: a rule (ACL) is missing"
        yield Finding(things.TOPIC, cause, things.playbooks("kafka"), where=Where.CONTROLLER)
    elif found.partitions is None and wanted and found.exists is False:
        cause = f"Kafka has no topic {found.name}"
        command = f"kafka-topics --create --topic {name} --partitions {wanted}"
        yield Finding(things.TOPIC, cause, command)
    elif found.partitions is None:
        cause = f"Kafka has no topic {found.name}, or hides it from lambda-consumer"
        yield Finding(things.TOPIC, cause, things.playbooks("kafka"), where=Where.CONTROLLER)
    elif wanted and found.partitions < wanted:
        cause = f"the topic {found.name} has {found.partitions} partitions where the inventory says {wanted}"
        yield Finding(things.PARTITIONS, cause, f"kafka-topics --alter --topic {name} --partitions {wanted}")


def schema(facts: HostFacts) -> Iterator[Finding]:
    """Migrations that PostgreSQL has not seen."""
    if facts.database and facts.database.missing_migrations:
        cause = f"the schema lacks migrations: {', '.join(facts.database.missing_migrations)}"
        follows = frozenset({things.read_only(things.POSTGRESQL)})
        yield Finding(things.SCHEMA, cause, "lambda-app db migrate", follows)


def read_only(facts: HostFacts) -> Iterator[Finding]:
    """A database that takes no rows."""
    if facts.database and facts.database.is_read_only:
        command = (
            "runuser -u postgres -- psql -q -c 'ALTER DATABASE lambda RESET default_transaction_read_only'"
            " -c 'ALTER SYSTEM RESET default_transaction_read_only' -c 'SELECT pg_reload_conf()'"
        )
        cause = "PostgreSQL is read-only (default_transaction_read_only): nothing is stored"
        yield Finding(things.read_only(things.POSTGRESQL), cause, command)


def blockers(facts: HostFacts) -> Iterator[Finding]:
    """A session whose locks programs wait for."""
    for each in facts.database.blockers if facts.database else ():
        command = f"runuser -u postgres -- psql -q -c 'SELECT pg_terminate_backend({each.process})'"
        waiting = ", ".join(each.waiting)
        cause = f"a session of {each.user} (process {each.process}) holds a lock, and keeps {waiting} waiting"
        yield Finding(things.BLOCKED, cause, command)
