"""Samples of an answer are found by name and labels."""

from lambda_app.core.metrics.scraped import Scraped, ScrapedSample

SEEN = Scraped.of(
    [
        ScrapedSample("up", {"host": "a", "job": "x"}, 1.0),
        ScrapedSample("up", {"host": "b", "job": "x"}, 0.0),
        ScrapedSample("down", {}, 7.0),
    ]
)


def test_value_is_of_the_first_sample_with_these_labels():
    assert (SEEN.value("up", job="x"), SEEN.value("up", host="b"), SEEN.value("down")) == (1.0, 0.0, 7.0)


def test_what_is_not_there_is_none():
    assert (SEEN.value("up", host="c"), SEEN.value("sideways")) == (None, None)


def test_all_samples_of_a_name_are_given():
    assert [sample.value for sample in SEEN.named("up")] == [1.0, 0.0]
