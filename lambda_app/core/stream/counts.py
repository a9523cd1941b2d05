"""What became of the messages of a worker so far: totals since it started, which add up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lambda_app.core.metrics.declared import CONSUMER_CHUNK_AGE, CONSUMER_CHUNK_MESSAGES, CONSUMER_LATENCY
from lambda_app.core.metrics.kinds import Histogram


@dataclass
class Counts:
    """Of messages whose fate is committed, and of what happened on the way."""

    stored: int = 0
    duplicate: int = 0
    # By reason_class.
    dead_letters: Counter[str] = field(default_factory=Counter)
    value_bytes: int = 0
    commits: int = 0
    rebalances: int = 0
    # By the peer that was away.
    retries: Counter[str] = field(default_factory=Counter)
    chunk_messages: Histogram = field(default_factory=lambda: Histogram(CONSUMER_CHUNK_MESSAGES.buckets))
    chunk_age: Histogram = field(default_factory=lambda: Histogram(CONSUMER_CHUNK_AGE.buckets))
    latency: Histogram = field(default_factory=lambda: Histogram(CONSUMER_LATENCY.buckets))

    def note_commit(self, messages: int, value_bytes: int, age_seconds: float, latencies: Iterable[float]) -> None:
        """A chunk is committed: its age since its first message was read, and seconds from event_time of some rows."""
        self.commits += 1
        self.value_bytes += value_bytes
        self.chunk_messages.observe(messages)
        self.chunk_age.observe(age_seconds)
        for latency in latencies:
            # The sender's clock may be ahead.
            self.latency.observe(max(0.0, latency))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.dead_letters + other.dead_letters,
            self.value_bytes + other.value_bytes,
            self.commits + other.commits,
            self.rebalances + other.rebalances,
            self.retries + other.retries,
            self.chunk_messages + other.chunk_messages,
            self.chunk_age + other.chunk_age,
            self.latency + other.latency,
        )
