"""How far each partition of the topic is stored, and who reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.scraped import Scraped


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
    """Neighbouring partitions of one reader, of which none is behind; or one that is."""

    first: int
    last: int
    facts: PartitionFacts


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
    # The reader looked a moment before Kafka did: what came in between has no age yet.
    return PartitionFacts(number, read.reader if read else None, records, read.lag_seconds if read else None)


def lag_seconds(partitions: Sequence[PartitionFacts]) -> float | None:
    """The oldest of what waits; None unless each partition has a reader that told."""
    known = [each.lag_seconds for each in partitions if each.lag_seconds is not None]
    return max(known) if known and len(known) == len(partitions) else None


def partition_rows(partitions: Sequence[PartitionFacts]) -> list[PartitionRow]:
    """The partitions as rows: neighbours of one reader that are not behind share a row."""
    rows: list[PartitionRow] = []
    for facts in partitions:
        last = rows[-1] if rows else None
        if last and last.last == facts.partition - 1 and _is_same(last.facts, facts):
            rows[-1] = PartitionRow(last.first, facts.partition, facts)
        else:
            rows.append(PartitionRow(facts.partition, facts.partition, facts))
    return rows


def _is_same(one: PartitionFacts, other: PartitionFacts) -> bool:
    return (one.reader, one.lag_records) == (other.reader, other.lag_records) and not one.lag_records
