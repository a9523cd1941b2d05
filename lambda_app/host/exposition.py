"""Metrics to Prometheus, in its text format: over HTTP, or as a file for the node exporter; and the way back.

prometheus-client writes and reads the format and speaks HTTP; what the values are is the caller's.
"""

import os
import socket
import ssl
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app, metrics_core
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from lambda_app.core.metrics.kinds import Histogram, Metric, MetricType, Sample
from lambda_app.core.metrics.scraped import Scraped, ScrapedSample
from lambda_app.errors import InvalidConfiguration
from lambda_app.host.environment import credential_path

# For a handshake and a request: whoever connects and says nothing gets no more of it.
ASKING_SECONDS = 10.0


def text(samples: Iterable[Sample]) -> str:
    """What a scrape sees."""
    return generate_latest(_registry(lambda: samples)).decode()


def serve(address: str, collect: Callable[[], Iterable[Sample]]) -> None:
    """Answers scrapes at HOST:PORT from threads of its own until the process ends; `collect` runs there.

    By TLS when the process has the credential host.pem. Raises InvalidConfiguration when the address is not one, or
    taken.
    """
    host, _, port = address.rpartition(":")
    certificate = credential_path("host.pem")
    try:
        family, *_, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        context = _tls(certificate) if certificate else None
        server_class = type("Server", (_Server,), {"address_family": family, "context": context})
        application = make_wsgi_app(_registry(collect))
        server: ThreadingWSGIServer = make_server(str(where[0]), int(port), application, server_class, _Silent)
    except (OSError, OverflowError, ValueError) as error:
        raise InvalidConfiguration(f"Metrics cannot be served at {address!r} (HOST:PORT): {error}") from error
    Thread(target=server.serve_forever, daemon=True).start()


class _Silent(WSGIRequestHandler):
    """Logs no requests."""

    timeout = ASKING_SECONDS

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Server(ThreadingWSGIServer):
    """Shakes hands in the thread of the request: a client that does not would hold up all others else."""

    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(ASKING_SECONDS)
        with self.context.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: Prometheus says what it did not get."""


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    return context


def write(path: Path, samples: Iterable[Sample]) -> None:
    """Replaces a file whose name ends in .prom; its readers see the old content or the new one. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        new.write_bytes(generate_latest(_registry(lambda: samples)))
        # The node exporter is another user, whatever the umask.
        new.chmod(0o644)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def parse(body: bytes) -> Scraped:
    """The numbers of an answer, without those that are none (NaN, infinite). Raises ValueError for any other text."""
    families = text_string_to_metric_families(body.decode())
    samples = (sample for family in families for sample in family.samples)
    return Scraped.of(ScrapedSample(each.name, each.labels, each.value) for each in samples if isfinite(each.value))


def _registry(collect: Callable[[], Iterable[Sample]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Samples(collect))
    return registry


class _Samples(Collector):
    """The samples of one scrape, by their metric."""

    def __init__(self, collect: Callable[[], Iterable[Sample]]) -> None:
        self._collect = collect

    def describe(self) -> Iterable[metrics_core.Metric]:
        """Nothing: else registering would collect once."""
        return []

    def collect(self) -> Iterable[metrics_core.Metric]:
        samples: dict[str, list[Sample]] = {}
        for sample in self._collect():
            samples.setdefault(sample.metric.name, []).append(sample)
        return [_family(each[0].metric, each) for each in samples.values()]


def _family(metric: Metric, samples: Iterable[Sample]) -> metrics_core.Metric:
    name, meaning, labels = metric.name, metric.meaning, metric.labels
    if metric.type is MetricType.HISTOGRAM:
        histogram = metrics_core.HistogramMetricFamily(name, meaning, labels=labels)
        for sample in samples:
            if isinstance(sample.value, Histogram):
                histogram.add_metric(sample.labels, list(sample.value.cumulative()), sample.value.sum)
        return histogram
    is_counter = metric.type is MetricType.COUNTER
    family = (metrics_core.CounterMetricFamily if is_counter else metrics_core.GaugeMetricFamily)(
        name, meaning, labels=labels
    )
    for sample in samples:
        if not isinstance(sample.value, Histogram):
            family.add_metric(sample.labels, sample.value)
    return family
