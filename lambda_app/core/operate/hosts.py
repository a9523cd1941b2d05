"""The hosts of the platform, as Ansible deploys their list: what each has, and where its metrics are."""

import msgspec

from lambda_app.core.operate.components import Component
from lambda_app.errors import InvalidConfiguration

LOOPBACK = "127.0.0.1"
_LOOPBACKS = {LOOPBACK, "::1", "localhost"}
# Listens everywhere, and is no address to connect to.
_ALL_ADDRESSES = {"0.0.0.0", "::", "*"}  # noqa: S104 - compared, not listened on
MONITORING = "monitoring"
BATCH = "batch"
EVERY_HOST = "all"


class Host(msgspec.Struct, frozen=True):
    """A host of the inventory."""

    # Where its exporters listen, each on the metrics_port of its row.
    metrics_address: str = LOOPBACK
    groups: tuple[str, ...] = ()
    # Whether they speak TLS.
    metrics_tls: bool = False


class Hosts(msgspec.Struct, frozen=True):
    """All hosts of the platform."""

    # The name of the one that reads this.
    here: str
    hosts: dict[str, Host]
    # Where Prometheus listens, on the host of the group monitoring.
    prometheus_address: str = LOOPBACK
    prometheus_tls: bool = False

    def others(self) -> dict[str, Host]:
        """All but this one, in the order of the inventory."""
        return {name: host for name, host in self.hosts.items() if name != self.here}


def parse_hosts(text: bytes | str) -> Hosts:
    """The list that Ansible writes; raises InvalidConfiguration."""
    try:
        hosts = msgspec.json.decode(text, type=Hosts)
    except msgspec.MsgspecError as error:
        raise InvalidConfiguration(f"The list of hosts cannot be read: {error}") from error
    if hosts.here not in hosts.hosts:
        raise InvalidConfiguration(f"The list of hosts cannot be read: it lacks {hosts.here}, this host")
    return hosts


def has(host: Host, component: Component) -> bool:
    """Whether the inventory puts the component on the host."""
    return component.group == EVERY_HOST or component.group in host.groups


def metrics_endpoint(hosts: Hosts, name: str, component: Component) -> str | None:
    """HOST:PORT of a component's metrics as seen from here, behind https:// where it speaks TLS.

    None where only the other host itself can reach them.

    >>> from lambda_app.core.operate.components import Kind
    >>> row = Component("a.service", Kind.SERVICE, "", group="all", metrics_port=9110)
    >>> hosts = Hosts("a", {"a": Host(), "b": Host("10.0.0.2", metrics_tls=True), "c": Host()})
    >>> [metrics_endpoint(hosts, name, row) for name in "abc"]
    ['127.0.0.1:9110', 'https://10.0.0.2:9110', None]
    """
    host = hosts.hosts[name]
    return _endpoint(hosts, name, host.metrics_address, component.metrics_port, host.metrics_tls)


def prometheus_endpoint(hosts: Hosts, table: tuple[Component, ...]) -> tuple[str | None, str | None]:
    """The host that has Prometheus, and its endpoint as seen from here; either may be None."""
    name = next((name for name, host in hosts.hosts.items() if MONITORING in host.groups), None)
    port = next((row.metrics_port for row in table if row.name == "lambda-prometheus"), None)
    if name is None:
        return None, None
    return name, _endpoint(hosts, name, hosts.prometheus_address, port, hosts.prometheus_tls)


def _endpoint(hosts: Hosts, name: str, address: str, port: int | None, speaks_tls: bool) -> str | None:
    is_here = name == hosts.here
    if is_here and address in _ALL_ADDRESSES:
        address = LOOPBACK
    if port is None or (address in _LOOPBACKS | _ALL_ADDRESSES and not is_here):
        return None
    endpoint = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"https://{endpoint}" if speaks_tls else endpoint
