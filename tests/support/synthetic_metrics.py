"""What a platform at work would say of itself, made up: the declared metrics, as a function of time.

Counters follow from the time alone, so that a past and what is served now are one story.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Histogram, Metric, MetricType, Sample
from lambda_app.host import exposition

# Of the node exporter, what the page needs.
_FILESYSTEM = ("device", "fstype", "mountpoint")
DISK_SIZE = Metric("node_filesystem_size_bytes", MetricType.GAUGE, "Filesystem size in bytes.", _FILESYSTEM)
DISK_AVAILABLE = Metric("node_filesystem_avail_bytes", MetricType.GAUGE, "Available to non-root users.", _FILESYSTEM)

DAY_SECONDS = 86_400.0
GIB = 2.0**30
# CPU quota in cores, memory limit, use of both while at work, tasks; jobs at rest use nothing.
_COMPONENTS = {
    "kafka": (4.0, 2 * GIB, 0.13, 0.42, 90),
    "lambda-producer": (1.0, 2 * GIB, 0.15, 0.02, 6),
    "lambda-consumer": (4.0, 2 * GIB, 0.51, 0.12, 14),
    "lambda-postgres": (1.0, 4 * GIB, 0.18, 0.31, 20),
    "lambda-pgadmin": (0.25, GIB / 2, 0.01, 0.37, 11),
    "lambda-cron-runner": (0.25, GIB, None, None, 0),
    "lambda-csv-batch": (0.25, GIB, None, None, 0),
    "lambda-db-setup": (0.25, GIB / 2, None, None, 0),
}


@dataclass
class SyntheticPlatform:
    """A platform that stores `rate` events a second; a test changes what it says while it is scraped."""

    rate: float = 1_000.0
    # By how much the rate swings over a day.
    swing: float = 0.4
    origin: float = field(default_factory=lambda: time.time() - 9 * DAY_SECONDS)
    down: set[str] = field(default_factory=set)
    # From this moment on Kafka takes nothing; None while it works.
    kafka_stopped_at: float | None = None
    # More events a second, and since when.
    surge: tuple[float, float] = (0.0, 0.0)
    # Labels that come from outside: what a test would like to smuggle in.
    mountpoint: str = "/"
    reason: str = "amount"

    def serve(self, port: int) -> None:
        """Answers scrapes on loopback until the process ends."""
        exposition.serve(f"127.0.0.1:{port}", lambda: self.samples(time.time()))

    def stop_kafka(self) -> None:
        self.down = {"kafka"}
        self.kafka_stopped_at = time.time()

    def start_kafka(self) -> None:
        self.down = set()
        self.kafka_stopped_at = None

    def add_load(self, events_per_second: float) -> None:
        self.surge = (events_per_second, time.time())

    def samples(self, at: float) -> Iterable[Sample]:
        return [*self._stream(at), *self._units(at), *self._batch(at), *self._disk(at)]

    def events(self, at: float) -> float:
        """How many there were: the integral of a rate that swings once a day."""
        seconds = min(at, self.kafka_stopped_at or at) - self.origin
        phase = 2 * math.pi / DAY_SECONDS
        more, since = self.surge
        return more * max(0.0, at - since) * bool(more) + self.rate * (
            seconds + self.swing * (1 - math.cos(phase * seconds)) / phase + 6 * math.sin(seconds / 97)
        )

    def _stream(self, at: float) -> Iterator[Sample]:
        events = self.events(at)
        waiting = self.kafka_stopped_at is not None
        behind = 0.0 if not waiting else at - (self.kafka_stopped_at or at)
        yield declared.PRODUCER_SENT.sample(events)
        yield declared.PRODUCER_ACKNOWLEDGED.sample(events)
        yield declared.CONSUMER_ROWS.sample(events * 0.999)
        yield declared.CONSUMER_DUPLICATES.sample(0)
        yield declared.CONSUMER_DEAD_LETTERS.sample(events * 0.0004, self.reason)
        yield declared.CONSUMER_DEAD_LETTERS.sample(events * 0.0001, "not_json")
        yield declared.CONSUMER_DEAD_LETTERS.sample(
            max(0.0, events - self.events(self.origin + 8 * DAY_SECONDS)) * 0.0003, "event_time"
        )
        yield declared.CONSUMER_LATENCY.sample(_latencies(events / 50))
        for partition in range(4):
            lag = 20 + 15 * math.sin(at / 61 + partition)
            yield declared.CONSUMER_LAG.sample(round(lag), str(partition), str(partition % 2))
            seconds = behind or 0.2 + 0.15 * math.sin(at / 83 + partition) + 2 * max(0.0, math.sin(at / 1900) - 0.9)
            yield declared.CONSUMER_LAG_SECONDS.sample(seconds, str(partition), str(partition % 2))
        yield declared.CONSUMER_WAITING.sample(2 if waiting else 0, "Kafka")
        yield declared.CONSUMER_WORKERS.sample(0 if waiting else 2)
        yield declared.STORED_NEWEST_AGE.sample(behind or 0.3 + 0.2 * math.sin(at / 7) ** 2)
        yield declared.DEAD_LETTERS_OPEN.sample(12)
        yield declared.GAPS.sample(0)

    def _units(self, at: float) -> Iterator[Sample]:
        for name, (cores, memory, cpu, use, tasks) in _COMPONENTS.items():
            yield declared.UNIT_UP.sample(0 if name in self.down else 1, name)
            yield declared.UNIT_FAILED.sample(0, name)
            yield declared.UNIT_RESTARTS.sample(0, name)
            yield declared.UNIT_CPU_LIMIT.sample(cores, name)
            yield declared.UNIT_MEMORY_LIMIT.sample(memory, name)
            if cpu is None or use is None or name in self.down:
                continue
            seconds = at - self.origin
            yield declared.UNIT_CPU.sample(cpu * (seconds + 40 * math.sin(seconds / 700 + tasks)), name)
            yield declared.UNIT_MEMORY.sample(memory * min(1, use * 1.5), name)
            yield declared.UNIT_MEMORY_WITHOUT_CACHE.sample(
                memory * use * (1 + 0.05 * math.sin(seconds / 5_000 + tasks)), name
            )
            yield declared.UNIT_TASKS.sample(tasks, name)

    def _batch(self, at: float) -> Iterator[Sample]:
        midnight = at - at % DAY_SECONDS
        for status, count in (("pending", 0), ("running", 0), ("completed", 7), ("failed", 1)):
            yield declared.JOBS.sample(count, status)
        yield declared.GIVEN_UP_JOBS.sample(1, "night")
        yield declared.GIVEN_UP_JOBS.sample(0, "file")
        yield declared.JOB_COMPLETED_TIME.sample(midnight + 95)
        yield declared.JOB_BUSINESS_TIME.sample(midnight)
        yield declared.JOB_ROWS.sample(100_000)
        yield declared.JOB_SECONDS.sample(95)
        for night in range(1, 8):
            status = {3: "failed", 6: "missing"}.get(night, "completed")
            yield declared.NIGHT_STATUS.sample(1, str(night), status)
            if status == "completed":
                yield declared.NIGHT_ROWS.sample(100_000 + 37 * night, str(night))
                yield declared.NIGHT_SECONDS.sample(90 + 4 * night, str(night))
        yield declared.SPEED_ROWS.sample(3_420)
        yield declared.DIRTY_DAYS.sample(0)
        yield declared.INBOX_WAITING.sample(0)
        yield declared.INBOX_NOT_TAKEN.sample(0)
        yield declared.VERIFY_DIFFERENCES.sample(0)
        yield declared.VERIFY_TIME.sample(midnight - 2 * DAY_SECONDS + 3_600)
        yield declared.RECOMPUTE_TIME.sample(midnight + 120)

    def _disk(self, at: float) -> Iterator[Sample]:
        for device, mountpoint, size, share in (
            ("/dev/vda1", self.mountpoint, 80 * GIB, 0.46),
            ("/dev/vdb1", "/var/lib/kafka", 200 * GIB, 0.62),
        ):
            used = min(0.97, share + 0.01 * (at - self.origin) / DAY_SECONDS)
            yield DISK_SIZE.sample(size, device, "ext4", mountpoint)
            yield DISK_AVAILABLE.sample(size * (1 - used), device, "ext4", mountpoint)


def _latencies(count: float) -> Histogram:
    """Observations around 0.1 s, a few up to 1 s."""
    bounds = declared.CONSUMER_LATENCY.buckets
    shares = [math.exp(-(((math.log(bound) - math.log(0.12)) / 0.9) ** 2)) if bound <= 1 else 0.0 for bound in bounds]
    counts = [int(count * share / sum(shares)) for share in shares]
    return Histogram(bounds, [*counts, 0], 0.12 * count)


def history(platform: SyntheticPlatform, times: Iterable[float], labels: str) -> Iterator[str]:
    """The samples of the past as OpenMetrics text, for promtool; `labels` are those that a scrape would add."""
    for at in times:
        for sample in platform.samples(at):
            yield from (f"{line} {at:.3f}\n" for line in _lines(sample, labels))
    yield "# EOF\n"


def _lines(sample: Sample, labels: str) -> Iterator[str]:
    own = "".join(f'{name}="{value}",' for name, value in zip(sample.metric.labels, sample.labels, strict=True))
    if isinstance(sample.value, Histogram):
        name = sample.metric.name
        total = 0
        for bound, total in sample.value.cumulative():
            yield f'{name}_bucket{{le="{bound}",{labels}}} {total}'
        yield f"{name}_count{{{labels}}} {total}"
        yield f"{name}_sum{{{labels}}} {sample.value.sum}"
    else:
        yield f"{sample.metric.name}{{{own}{labels}}} {sample.value}"
