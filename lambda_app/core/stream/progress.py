"""What a worker tells the supervisor, and what the supervisor's metrics make of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample
from lambda_app.core.stream.counts import Counts
from lambda_app.core.transaction.reason_class import REASON_CLASSES

KAFKA, POSTGRESQL = "kafka", "postgresql"
PEERS = (KAFKA, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far a worker is in a partition, and how far behind."""

    # Behind the last message whose fate is committed.
    next_offset: int
    records: int
    # Age of the last message stored, by Kafka's timestamp, while later ones wait; else 0.
    seconds: float


@dataclass
class Progress:
    """What a worker tells the supervisor, and by telling, that it is alive."""

    # Connected to both sides and settled in the group.
    is_ready: bool = False
    lag: Mapping[int, PartitionLag] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    # What it waits for, "" for nothing, and which of PEERS that is.
    waiting_for: str = ""
    waiting_peer: str = ""

    @property
    def lag_records(self) -> int:
        """Messages that wait in its partitions."""
        return sum(each.records for each in self.lag.values())


def partition_lags(
    next_offsets: Mapping[int, int], records: Mapping[int, int], last_timestamps: Mapping[int, int], now: float
) -> dict[int, PartitionLag]:
    """The lag of each partition, from the messages that wait and the times of the last ones stored.

    `last_timestamps` are milliseconds since 1970, `now` seconds. Where nothing was stored yet, the lag is 0 seconds.
    """
    lags = {}
    for partition, next_offset in next_offsets.items():
        waiting = records.get(partition, 0)
        since = last_timestamps.get(partition, now * 1000) / 1000 if waiting else now
        lags[partition] = PartitionLag(next_offset, waiting, max(0.0, now - since))
    return lags


def consumer_samples(workers: Mapping[int, Progress], ended: Counts, worker_ends: int) -> Iterator[Sample]:
    """The consumer's metrics: of its workers by number, and what those counted that ended."""
    counts = sum((progress.counts for progress in workers.values()), ended)
    yield declared.CONSUMER_ROWS.sample(counts.stored)
    yield declared.CONSUMER_DUPLICATES.sample(counts.duplicate)
    # Each class from the start: an increase from nothing to 1 is none to Prometheus.
    yield from (declared.CONSUMER_DEAD_LETTERS.sample(counts.dead_letters[each], each) for each in REASON_CLASSES)
    yield declared.CONSUMER_BYTES.sample(counts.value_bytes)
    yield declared.CONSUMER_COMMITS.sample(counts.commits)
    yield declared.CONSUMER_CHUNK_MESSAGES.sample(counts.chunk_messages)
    yield declared.CONSUMER_CHUNK_AGE.sample(counts.chunk_age)
    yield declared.CONSUMER_LATENCY.sample(counts.latency)
    yield declared.CONSUMER_REBALANCES.sample(counts.rebalances)
    yield from (declared.CONSUMER_RETRIES.sample(counts.retries[peer], peer) for peer in PEERS)
    yield from _waiting(workers.values())
    yield declared.CONSUMER_WORKERS.sample(sum(progress.is_ready for progress in workers.values()))
    yield declared.CONSUMER_WORKER_ENDS.sample(worker_ends)
    for number, progress in workers.items():
        for partition, lag in sorted(progress.lag.items()):
            yield declared.CONSUMER_NEXT_OFFSET.sample(lag.next_offset, str(partition), str(number))
            yield declared.CONSUMER_LAG.sample(lag.records, str(partition), str(number))
            yield declared.CONSUMER_LAG_SECONDS.sample(lag.seconds, str(partition), str(number))


def _waiting(workers: Iterable[Progress]) -> Iterator[Sample]:
    waiting = Counter(progress.waiting_peer for progress in workers)
    yield from (declared.CONSUMER_WAITING.sample(waiting[peer], peer) for peer in PEERS)
