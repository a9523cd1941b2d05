"""Partitions with their readers and lag, put together from whoever told."""

import pytest

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.scraped import Scraped, ScrapedSample
from lambda_app.core.operate.partitions import (
    PartitionFacts,
    PartitionRow,
    lag_seconds,
    partition_facts,
    partition_rows,
    ranges,
)


def consumer(*partitions: tuple[int, int, int, float, int], worker: int = 1) -> Scraped:
    """Metrics of a consumer with partitions as (number, next offset, lag in records, lag in seconds)."""
    samples = []
    for number, offset, records, seconds in partitions:
        labels = {"partition": str(number), "worker": str(worker)}
        values = {
            declared.CONSUMER_NEXT_OFFSET: offset,
            declared.CONSUMER_LAG: records,
            declared.CONSUMER_LAG_SECONDS: seconds,
        }
        samples += [ScrapedSample(metric.name, labels, float(value)) for metric, value in values.items()]
    return Scraped.of(samples)


def test_reader_is_named_as_the_consumer_group_names_it():
    consumers = {"a": consumer((0, 5, 0, 0.0), worker=2), "b": consumer((1, 5, 7, 2.5))}

    assert partition_facts(consumers, None, {}) == (
        PartitionFacts(0, "a-2", 0, 0.0),
        PartitionFacts(1, "b-1", 7, 2.5),
    )


def test_lag_is_what_kafka_has_and_postgresql_has_not():
    facts = partition_facts({"a": consumer((0, 5, 7, 2.5))}, {0: 20, 1: 4}, {0: 18})

    assert facts == (PartitionFacts(0, "a-1", 2, 2.5), PartitionFacts(1, None, 4, None))


def test_partition_that_changes_hands_belongs_to_who_is_further():
    consumers = {"a": consumer((0, 9, 0, 0.0)), "b": consumer((0, 5, 4, 1.0))}

    assert partition_facts(consumers, None, {}) == (PartitionFacts(0, "a-1", 0, 0.0),)


@pytest.mark.parametrize(
    ("seconds", "expected"), [((0.0, 2.5), 2.5), ((0.0, 0.0), 0.0), ((2.5, None), None), ((), None)]
)
def test_oldest_of_what_waits_is_known_when_each_reader_told(seconds, expected):
    assert lag_seconds([PartitionFacts(n, "a-1", 1, each) for n, each in enumerate(seconds)]) == expected


def test_what_is_behind_comes_first_and_the_rest_of_a_reader_shares_a_row():
    facts = [
        PartitionFacts(0, "a-1", 0, 0.0),
        PartitionFacts(1, "b-1", 7, 2.5),
        # A chunk on its way.
        PartitionFacts(2, "a-1", 4, 0.3),
        PartitionFacts(3, "a-1", 90, 1.0),
        PartitionFacts(4, None, 0, None),
        PartitionFacts(5, None, None, None),
    ]

    assert partition_rows(facts) == [
        PartitionRow((3,), "a-1", 90, 1.0),
        PartitionRow((1,), "b-1", 7, 2.5),
        PartitionRow((0, 2), "a-1", 4, 0.3),
        PartitionRow((4,), None, 0, None),
        PartitionRow((5,), None, None, None),
    ]


def test_what_waited_when_the_reader_told_and_is_stored_now_has_no_age():
    facts = partition_facts({"a": consumer((0, 5, 7, 2.5), (1, 5, 7, 2.5))}, {0: 18, 1: 19}, {0: 18, 1: 18})

    assert [each.lag_seconds for each in facts] == [0.0, 2.5]


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0-2, 5, 7-8")])
def test_neighbours_are_a_range(numbers, text):
    assert ranges(numbers) == text
