"""What it costs the consumer to be watched: a drain while Prometheus asks it and judges all alerts, and one alone."""

from collections.abc import Iterator
from functools import partial

from tests.benchmark.drain import MESSAGES, Drain, drain_into_empty
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic
from tests.monitoring.rules import render, rule_files
from tests.support.processes import directory, free_port, wait_until
from tests.support.prometheus_server import PrometheusServer

TOPIC = "watched"
# Ten times as often as deployed: a drain is over soon.
SCRAPE_SECONDS = 1.0


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    fill_topic(platform.kafka, TOPIC, MESSAGES)
    port = free_port()
    watched: list[Drain] = []
    alone: list[Drain] = []
    slowest: list[float] = []
    # In turns, so that both get the same of what else the machine does.
    for _ in range(2 * PAIRS):
        alone.append(drain_into_empty(platform, workers=2, topic=TOPIC))
        with directory("lambda-prometheus-") as path:
            prometheus = PrometheusServer(path, {"lambda-consumer": port}, _rules(), SCRAPE_SECONDS)
            prometheus.start()
            # It learns of its targets some seconds after its start.
            wait_until(partial(prometheus.query, "up"), what="first scrape")
            changes = {"LAMBDA_CONSUME_METRICS_ADDRESS": f"127.0.0.1:{port}"}
            watched.append(drain_into_empty(platform, workers=2, changes=changes, topic=TOPIC))
            slowest.append(_slowest_scrape(prometheus))
            prometheus.stop()
    yield figure("drain, 2 workers, not watched", [each.rows_per_second for each in alone], "rows/s")
    yield ratio(
        "drain, 2 workers, watched, in the one that is not",
        [each.rows_per_second for each in watched],
        [each.rows_per_second for each in alone],
        at_least=0.98,
    )
    yield ratio(
        "client CPU a row, watched, in the one that is not",
        [each.client_microseconds for each in watched],
        [each.client_microseconds for each in alone],
        at_most=1.01,
    )
    yield figure("slowest scrape of a drain", [1000 * each for each in slowest], "ms", at_most=200)


def _rules() -> str:
    """All groups of alerts in one file."""
    groups = [render(path).partition("groups:\n")[2] for path in rule_files()]
    return "groups:\n" + "\n".join(groups)


def _slowest_scrape(prometheus: PrometheusServer) -> float:
    answer = prometheus.query("max(max_over_time(scrape_duration_seconds[1h]))")
    return float(answer[0]["value"][1])  # type: ignore[index]
