"""How far each partition of the topic is stored, and who reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.scraped import Scraped

# A smaller value would show partitions that a steady stream moves all the time.
BEHIND_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """A partition; None where nobody told."""

    partition: int
    # As the consumer group names its member; None: no consumer that answered reads it.
    reader: str | None
    lag_records: int | None
    # Age of the last stored message while later ones wait; else 0.
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition that is behind, or all those of a reader that are not."""

    partitions: tuple[int, ...]
    reader: str | None
    lag_records: int | None
    lag_seconds: float | None


def partition_facts(
    consumers: Mapping[str, Scraped], log_ends: Mapping[int, int] | None, next_offsets: Mapping[int, int]
) -> tuple[PartitionFacts, ...]:
    """All partitions that somebody knows of; `consumers` are the metrics of each consumer by its host.

    Where Kafka told the ends of its log, the lag is the distance to what PostgreSQL has; else what the reader says.
    """
    read: dict[int, tuple[int, PartitionFacts]] = {}
    for host, scraped in consumers.items():
        for sample in scraped.named(declared.CONSUMER_LAG.name):
            labels = {"partition": sample.labels["partition"], "worker": sample.labels["worker"]}
            seconds = scraped.value(declared.CONSUMER_LAG_SECONDS.name, **labels)
            offset = int(scraped.value(declared.CONSUMER_NEXT_OFFSET.name, **labels) or 0)
            number = int(labels["partition"])
            facts = PartitionFacts(number, f"{host}-{labels['worker']}", int(sample.value), seconds)
            # While a partition changes hands both may tell of it: who is further has it now.
            if number not in read or read[number][0] < offset:
                read[number] = (offset, facts)
    return tuple(
        _facts(number, read[number][1] if number in read else None, log_ends, next_offsets)
        for number in sorted({*read, *(log_ends or {})})
    )


def _facts(
    number: int, read: PartitionFacts | None, log_ends: Mapping[int, int] | None, next_offsets: Mapping[int, int]
) -> PartitionFacts:
    records = read.lag_records if read else None
    if log_ends is not None and number in log_ends:
        records = max(0, log_ends[number] - next_offsets.get(number, 0))
    seconds = read.lag_seconds if read else None
    # The reader told a moment ago: what waited then is stored by now.
    return PartitionFacts(number, read.reader if read else None, records, 0.0 if seconds and records == 0 else seconds)


def lag_seconds(partitions: Sequence[PartitionFacts]) -> float | None:
    """The oldest of what waits; None unless each partition has a reader that told."""
    known = [each.lag_seconds for each in partitions if each.lag_seconds is not None]
    return max(known) if known and len(known) == len(partitions) else None


def partition_rows(partitions: Sequence[PartitionFacts]) -> list[PartitionRow]:
    """Those that are behind, the furthest first, a row each; then a row for the others of each reader."""
    behind = sorted(filter(_is_behind, partitions), key=lambda each: -(each.lag_records or 0))
    others: dict[tuple[str | None, bool], list[PartitionFacts]] = {}
    for each in partitions:
        if not _is_behind(each):
            others.setdefault((each.reader, each.lag_records is None), []).append(each)
    return [_row([each]) for each in behind] + [_row(facts) for facts in others.values()]


def _is_behind(facts: PartitionFacts) -> bool:
    """A chunk that is on its way for less than a second is none."""
    return bool(facts.lag_records) and (facts.lag_seconds is None or facts.lag_seconds >= BEHIND_SECONDS)


def _row(facts: Sequence[PartitionFacts]) -> PartitionRow:
    records = [each.lag_records for each in facts if each.lag_records is not None]
    numbers = tuple(each.partition for each in facts)
    return PartitionRow(numbers, facts[0].reader, sum(records) if records else None, lag_seconds(facts))


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in a few words.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
