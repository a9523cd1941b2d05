"""What the metrics of a program said when they were asked for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class ScrapedSample(NamedTuple):
    """A number of one moment."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Scraped:
    """The samples of one answer, to be looked up by name and labels."""

    samples: tuple[ScrapedSample, ...]

    @classmethod
    def of(cls, samples: Iterable[ScrapedSample]) -> "Scraped":
        """Of any samples, for example those that a parser gives one after the other."""
        return cls(tuple(samples))

    def named(self, name: str) -> Iterator[ScrapedSample]:
        """All samples of a name, whatever their labels."""
        return (sample for sample in self.samples if sample.name == name)

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample that has at least these labels; None where there is none.

        >>> seen = Scraped((ScrapedSample("up", {"host": "a"}, 1.0), ScrapedSample("up", {"host": "b"}, 0.0)))
        >>> seen.value("up", host="b"), seen.value("up", host="c")
        (0.0, None)
        """
        matches = (sample.value for sample in self.named(name) if labels.items() <= dict(sample.labels).items())
        return next(matches, None)
