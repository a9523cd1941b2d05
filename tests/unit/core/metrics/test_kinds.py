"""Samples have the labels of their metric, and a histogram counts each value once."""

import pytest

from lambda_app.core.metrics.kinds import Histogram, Metric, MetricType


def test_sample_needs_a_value_for_each_label() -> None:
    metric = Metric("lambda_lag_records", MetricType.GAUGE, "Lag.", ("partition",))

    assert metric.sample(3, "0").labels == ("0",)
    with pytest.raises(ValueError, match="lambda_lag_records"):
        metric.sample(3)


def test_histogram_counts_a_value_at_its_bound_and_one_above_all() -> None:
    histogram = Histogram((1, 10))
    for value in (1, 2, 10, 11):
        histogram.observe(value)

    assert list(histogram.cumulative()) == [("1", 1), ("10", 3), ("+Inf", 4)]
    assert histogram.sum == 24


def test_histograms_add_up() -> None:
    ours, theirs = Histogram((1,), [1, 2], 5.0), Histogram((1,), [3, 4], 7.0)

    assert ours + theirs == Histogram((1,), [4, 6], 12.0)
    assert (ours.counts, theirs.counts) == ([1, 2], [3, 4])


def test_histograms_with_other_bounds_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="bounds"):
        Histogram((1,)) + Histogram((2,))
