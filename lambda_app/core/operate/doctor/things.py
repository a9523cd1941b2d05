"""The names of what can be wrong, and which units need which: the one place that says what follows from what."""

from collections.abc import Mapping

from lambda_app.core.operate.components import Component

# Which components a component cannot do without, when they are on this host.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "lambda-producer": ("kafka",),
    "lambda-consumer": ("kafka", "lambda-postgres", "lambda-db-setup"),
    "lambda-cron-runner": ("lambda-postgres", "lambda-db-setup"),
    "lambda-csv-batch": ("lambda-postgres", "lambda-db-setup"),
    "lambda-pgadmin": ("lambda-postgres",),
    "lambda-db-setup": ("lambda-postgres",),
    "lambda-db-maintenance": ("lambda-postgres", "lambda-db-setup"),
    "lambda-verify": ("kafka", "lambda-postgres", "lambda-db-setup"),
    "lambda-postgres.target": ("lambda-postgres",),
    "lambda-alertmanager": ("lambda-alerts",),
}
# What starts a component, where that is not its own unit.
STARTED_BY: Mapping[str, str] = {"lambda-postgres": "lambda-postgres.target"}
TARGET = "lambda.target"
KAFKA, POSTGRESQL = "kafka", "postgresql"
# The component that is the server of this name.
SERVERS: Mapping[str, str] = {KAFKA: "kafka", POSTGRESQL: "lambda-postgres"}
STREAM = "stream"
TOPIC = "topic"
SCHEMA = "schema"
RELOAD = "reload"
PARTITIONS, BLOCKED, CLOCK = "partitions", "lock", "clock"
JOBS, INBOX, LETTERS = "jobs", "inbox", "dead letters"
# By group, the playbook that deploys its components.
_PLAYBOOKS = {
    "kafka": "kafka",
    "postgres": "postgres",
    "pgadmin": "pgadmin",
    "monitoring": "monitoring",
    "all": "monitoring",
}


def unit(name: str) -> str:
    return f"unit:{name}"


def limits(name: str) -> str:
    return f"limits:{name}"


def memory(name: str) -> str:
    return f"memory:{name}"


def throttled(name: str) -> str:
    return f"throttled:{name}"


def frozen(name: str) -> str:
    return f"frozen:{name}"


def file(name: str) -> str:
    return f"file:{name}"


def enabled(name: str) -> str:
    return f"enabled:{name}"


def read_only(name: str) -> str:
    return f"read-only:{name}"


def port(number: int) -> str:
    return f"port:{number}"


def path(name: str) -> str:
    return f"path:{name}"


def disk(name: str) -> str:
    return f"disk:{name}"


def server(name: str) -> str:
    return f"server:{name}"


def login(server_name: str, user: str) -> str:
    return f"login:{server_name}:{user}"


def host_name(name: str) -> str:
    return f"name:{name}"


def service_of(component: Component) -> str:
    """The unit as people name it."""
    return component.unit.removesuffix(".service")


def playbook(component: Component) -> str:
    """The command that deploys the component again."""
    name = "base" if component.name == TARGET else _PLAYBOOKS.get(component.group, "app")
    return playbooks(name)


def playbooks(*names: str) -> str:
    """The command that runs these playbooks."""
    return "ansible-playbook " + " ".join(f"playbooks/{name}.yml" for name in names)
