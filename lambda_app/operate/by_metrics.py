"""Asks the programs of the platform for their metrics, on this host and on others, and Prometheus for what it knows.

All are asked at once. Who does not answer is said, and holds up nobody.
"""

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.scraped import Scraped
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.disks import SECONDS_UNTIL_FULL, DiskFacts, remote_disks
from lambda_app.core.operate.hosts import Hosts, has, metrics_endpoint, prometheus_endpoint
from lambda_app.core.operate.other_hosts import OtherHost, other_host
from lambda_app.core.operate.prometheus_answers import AlertFacts, parse_alerts, parse_disk_paces
from lambda_app.errors import LambdaError
from lambda_app.host import exposition
from lambda_app.host.asking import Asked, NoAnswer, get
from lambda_app.host.clock import Clock

# For one answer over HTTP.
ASK_SECONDS = 2.0
SAMPLE_SECONDS = 1.0
# A consumer's counters move once a second, so less would often show none or twice as many.
CONSUMER_SECONDS = 2.0
OUT_OF_REACH = "its metrics are on its loopback alone (metrics_address)"


@dataclass(frozen=True, slots=True)
class ConsumerFacts:
    """What a consumer says of itself."""

    scraped: Scraped
    # None: it was not asked twice.
    rows_per_second: float | None


@dataclass(frozen=True, slots=True)
class MetricsFacts:
    """All that was answered."""

    other_hosts: dict[str, OtherHost]
    # Of the other hosts.
    disks: tuple[DiskFacts, ...]
    consumers: dict[str, ConsumerFacts]
    # Why others did not answer.
    silent_consumers: dict[str, str]
    alerts: tuple[AlertFacts, ...] | None
    why_no_alerts: str
    # Seconds until file systems are full, by host and mount point.
    disk_paces: dict[tuple[str, str], float]


@dataclass
class MetricsQuestions:
    """The questions; they are under way as soon as this is made."""

    hosts: Hosts
    table: tuple[Component, ...]
    clock: Clock
    # Whether PostgreSQL is not asked for the rate of the stream: then the consumers are, and it takes a second longer.
    wants_rates: bool
    _others: Asked[OtherHost] = field(init=False)
    _disks: Asked[tuple[DiskFacts, ...]] = field(init=False)
    _consumers: Asked[ConsumerFacts] = field(init=False)
    _alerts: Asked[tuple[AlertFacts, ...]] = field(init=False)
    _paces: Asked[dict[tuple[str, str], float]] = field(init=False)
    _out_of_reach: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        others, rows = self.hosts.others(), {row.name: row for row in self.table}
        other_hosts: dict[str, Callable[[], OtherHost]] = {}
        disks: dict[str, Callable[[], tuple[DiskFacts, ...]]] = {}
        consumers: dict[str, Callable[[], ConsumerFacts]] = {}
        for name in self.hosts.hosts:
            if name in others and (endpoint := self._endpoint(name, rows.get("lambda-metrics"))):
                other_hosts[name] = partial(self._other_host, name, endpoint)
            if name in others and (endpoint := self._endpoint(name, rows.get("lambda-node-exporter"))):
                disks[name] = partial(_disks, name, endpoint)
            consumer = rows.get("lambda-consumer")
            if consumer and has(self.hosts.hosts[name], consumer):
                if endpoint := self._endpoint(name, consumer):
                    consumers[name] = partial(self._consumer, endpoint)
                else:
                    self._out_of_reach[name] = OUT_OF_REACH
        self._others, self._disks, self._consumers = Asked(other_hosts), Asked(disks), Asked(consumers)
        _, prometheus = prometheus_endpoint(self.hosts, self.table)
        self._alerts = Asked({prometheus: partial(_alerts, prometheus)} if prometheus else {})
        self._paces = Asked({prometheus: partial(_paces, prometheus)} if prometheus else {})

    def facts(self, until: float) -> MetricsFacts:
        """What was answered until this time of the clock."""
        other_hosts = {
            name: OtherHost(host.groups, error=OUT_OF_REACH, is_within_reach=False)
            for name, host in self.hosts.others().items()
        }
        for name, answer in self._others.answers(self._left(until)).items():
            other_hosts[name] = (
                OtherHost(other_hosts[name].groups, error=str(answer)) if isinstance(answer, LambdaError) else answer
            )
        consumers, silent = {}, dict(self._out_of_reach)
        for name, rate in self._consumers.answers(self._left(until)).items():
            if isinstance(rate, LambdaError):
                silent[name] = str(rate)
            else:
                consumers[name] = rate
        disks = self._disks.answers(self._left(until)).values()
        alerts, why_no_alerts = self._firing(until)
        paces = next(iter(self._paces.answers(self._left(until)).values()), {})
        return MetricsFacts(
            other_hosts=other_hosts,
            # That a host is not reachable is said once, with its components.
            disks=tuple(disk for each in disks if not isinstance(each, LambdaError) for disk in each),
            consumers=consumers,
            silent_consumers=silent,
            alerts=alerts,
            why_no_alerts=why_no_alerts,
            disk_paces={} if isinstance(paces, LambdaError) else paces,
        )

    def _left(self, until: float) -> float:
        return until - self.clock.monotonic()

    def _endpoint(self, name: str, component: Component | None) -> str | None:
        return metrics_endpoint(self.hosts, name, component) if component else None

    def _firing(self, until: float) -> tuple[tuple[AlertFacts, ...] | None, str]:
        name, endpoint = prometheus_endpoint(self.hosts, self.table)
        if name is None:
            return None, "no host is in the group monitoring"
        if endpoint is None:
            return None, f"Prometheus is on the loopback of {name}: ask there"
        answer = self._alerts.answers(self._left(until))[endpoint]
        return (None, str(answer)) if isinstance(answer, LambdaError) else (answer, "")

    def _other_host(self, name: str, endpoint: str) -> OtherHost:
        earlier = _scrape(endpoint)
        self.clock.sleep(SAMPLE_SECONDS)
        return other_host(self.hosts.hosts[name].groups, self.table, earlier, _scrape(endpoint))

    def _consumer(self, endpoint: str) -> ConsumerFacts:
        earlier, start = _scrape(endpoint), self.clock.monotonic()
        if not self.wants_rates:
            return ConsumerFacts(earlier, None)
        self.clock.sleep(CONSUMER_SECONDS)
        later, seconds = _scrape(endpoint), self.clock.monotonic() - start
        rows = [scraped.value(declared.CONSUMER_ROWS.name) or 0.0 for scraped in (earlier, later)]
        # A consumer that was started in between counts from zero.
        return ConsumerFacts(later, max(0.0, rows[1] - rows[0]) / seconds)


def _scrape(endpoint: str) -> Scraped:
    try:
        return exposition.parse(get(endpoint, "/metrics", ASK_SECONDS))
    except ValueError as error:
        raise NoAnswer(f"{endpoint} answers what are no metrics") from error


def _disks(name: str, endpoint: str) -> tuple[DiskFacts, ...]:
    return remote_disks(name, _scrape(endpoint))


def _alerts(endpoint: str) -> tuple[AlertFacts, ...]:
    try:
        return parse_alerts(get(endpoint, "/api/v1/alerts", ASK_SECONDS))
    except ValueError as error:
        raise NoAnswer(f"{endpoint} answers what are no alerts") from error


def _paces(endpoint: str) -> dict[tuple[str, str], float]:
    query = urllib.parse.urlencode({"query": SECONDS_UNTIL_FULL})
    try:
        return parse_disk_paces(get(endpoint, f"/api/v1/query?{query}", ASK_SECONDS))
    except ValueError as error:
        raise NoAnswer(f"{endpoint} answers what are no numbers") from error
