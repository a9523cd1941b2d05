"""What the consumer's metrics say of its workers, those that ended included."""

from collections import Counter

from lambda_app.core.metrics.kinds import Histogram, Sample
from lambda_app.core.stream.counts import Counts
from lambda_app.core.stream.progress import PartitionLag, Progress, consumer_samples, partition_lags
from lambda_app.core.transaction.reason_class import REASON_CLASSES


def values(samples: list[Sample]) -> dict[tuple[str, ...], float | Histogram]:
    return {(sample.metric.name.removeprefix("lambda_consumer_"), *sample.labels): sample.value for sample in samples}


def test_counts_of_workers_and_of_those_that_ended_add_up() -> None:
    first = Counts(10, 1, Counter(amount=2), 300, rebalances=1, retries=Counter(kafka=1))
    first.note_commit(13, 900, 0.2, [0.03, -1.0])
    workers = {1: Progress(True, counts=first), 2: Progress(counts=Counts(5, dead_letters=Counter(amount=1, other=4)))}

    seen = values(list(consumer_samples(workers, Counts(100, duplicate=7, value_bytes=50), worker_ends=3)))

    assert seen["rows_total",] == 115
    assert seen["duplicates_total",] == 8
    assert (seen["dead_letters_total", "amount"], seen["dead_letters_total", "other"]) == (3, 4)
    assert seen["bytes_total",] == 1250
    assert (seen["commits_total",], seen["rebalances_total",], seen["worker_ends_total",]) == (1, 1, 3)
    assert (seen["retries_total", "kafka"], seen["retries_total", "postgresql"]) == (1, 0)
    assert seen["workers",] == 1
    latency = seen["event_to_row_seconds",]
    assert isinstance(latency, Histogram)
    # What is dated ahead is there at once.
    assert (sum(latency.counts), latency.counts[0], latency.sum) == (2, 1, 0.03)


def test_every_label_value_is_there_before_anything_happens() -> None:
    seen = values(list(consumer_samples({}, Counts(), 0)))

    assert {key[1] for key in seen if key[0] == "dead_letters_total"} == set(REASON_CLASSES)
    assert {key[1] for key in seen if key[0] == "waiting_workers"} == {"kafka", "postgresql"}


def test_adding_up_leaves_the_counts_of_a_worker_alone() -> None:
    counts = Counts(1)
    list(consumer_samples({1: Progress(counts=counts)}, Counts(2), 0))

    assert counts == Counts(1)


def test_lag_names_its_partition_and_its_reader() -> None:
    workers = {
        1: Progress(lag={0: PartitionLag(70, 5, 2.5)}),
        2: Progress(lag={1: PartitionLag(80, 0, 0.0)}, waiting_peer="kafka"),
    }

    seen = values(list(consumer_samples(workers, Counts(), 0)))

    assert (seen["lag_records", "0", "1"], seen["lag_seconds", "0", "1"]) == (5, 2.5)
    assert (seen["next_offset", "0", "1"], seen["next_offset", "1", "2"]) == (70, 80)
    assert (seen["lag_records", "1", "2"], seen["lag_seconds", "1", "2"]) == (0, 0.0)
    assert (seen["waiting_workers", "kafka"], seen["waiting_workers", "postgresql"]) == (1, 0)


def test_lag_in_seconds_is_the_age_of_the_last_message_stored() -> None:
    lags = partition_lags(
        {0: 10, 1: 11, 2: 12, 3: 13}, {0: 4, 1: 0, 2: 9}, {0: 995_000, 1: 5_000, 3: 5_000}, now=1000.0
    )

    assert lags == {
        0: PartitionLag(10, 4, 5.0),
        # Nothing waits: however old the last message is.
        1: PartitionLag(11, 0, 0.0),
        # Nothing was stored yet.
        2: PartitionLag(12, 9, 0.0),
        # Kafka did not tell.
        3: PartitionLag(13, 0, 0.0),
    }


def test_time_of_a_message_may_be_ahead() -> None:
    assert partition_lags({0: 7}, {0: 1}, {0: 2_000_000}, now=1000.0) == {0: PartitionLag(7, 1, 0.0)}
