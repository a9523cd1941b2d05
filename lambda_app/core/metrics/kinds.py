"""What a metric is, and a sample of one. Prometheus' own words and conventions: https://prometheus.io/docs/practices/naming/"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class MetricType(StrEnum):
    """How a value moves."""

    COUNTER = "counter"  # up only, from 0 at the start of the program
    GAUGE = "gauge"  # up and down
    HISTOGRAM = "histogram"  # counts of observations, by size


@dataclass(frozen=True, slots=True)
class Metric:
    """A name with its unit, and what it says."""

    name: str
    type: MetricType
    meaning: str
    labels: tuple[str, ...] = ()
    # Upper bounds of a histogram's buckets, rising; one without a bound follows.
    buckets: tuple[float, ...] = ()

    def sample(self, value: "float | Histogram", *labels: str) -> "Sample":
        """A value of it; `labels` in the order of its own. Raises ValueError when there are more or fewer."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(labels)} values")
        return Sample(self, value, labels)


@dataclass
class Histogram:
    """Observations counted by size; can be added to another one with the same bounds."""

    bounds: tuple[float, ...]
    # One more than bounds: the last is for what exceeds them all.
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Counts a value into the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def __add__(self, other: "Histogram") -> "Histogram":
        if self.bounds != other.bounds:
            raise ValueError("the histograms have different bounds")
        counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        return Histogram(self.bounds, counts, self.sum + other.sum)

    def cumulative(self) -> Iterable[tuple[str, int]]:
        """Each bound as Prometheus writes it, and how many observations are at most so large."""
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield bound, total


@dataclass(frozen=True, slots=True)
class Sample:
    """A metric's value at one moment, for one set of label values."""

    metric: Metric
    value: float | Histogram
    labels: tuple[str, ...] = ()
