"""A figure is missed only when its spread allows that, and servers are set as the roles set them."""

import pytest

from tests.benchmark.as_deployed import initdb_options, kafka_java_options, kafka_settings, parse_settings
from tests.benchmark.figures import Figure, figure, ratio


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ([0.8, 0.9, 1.0, 1.1, 1.2], "met"),
        ([0.5, 0.6, 0.7, 0.8, 0.9], "unclear"),  # the upper half of the middle reaches it
        ([0.5, 0.5, 0.6, 0.6, 0.9], "MISSED"),  # one lucky run does not
    ],
)
def test_ratio_is_judged_by_its_spread(samples: list[float], verdict: str) -> None:
    found = ratio("ours in theirs", samples, [1.0] * len(samples), at_least=0.75)

    assert str(found).endswith(verdict)
    assert found.is_missed == (verdict == "MISSED")


def test_ratio_compares_what_was_measured_in_turns() -> None:
    # The machine got twice as slow half way: the ratio did not change.
    assert ratio("ours in theirs", [10, 5], [20, 10]).value == 0.5


def test_figure_is_the_median_and_the_middle_half() -> None:
    found = figure("seconds", [5.0, 1.0, 2.0, 3.0, 4.0], "s", at_most=2.5)

    assert (found.value, found.spread) == (3.0, (2.0, 4.0))
    assert not found.is_missed


def test_single_measurement_has_no_spread_to_excuse_it() -> None:
    assert Figure("seconds", 3.0, "s", at_most=2.5).is_missed


def test_settings_are_those_of_the_file_but_for_a_server_s_own() -> None:
    text = "# A comment = 1\nport = 5432\nlog_destination = 'syslog'\nwal_compression = lz4\nx = 'a b'\n"

    assert parse_settings(text) == {"wal_compression": "lz4", "x": "a b"}


def test_servers_are_made_as_the_roles_make_them() -> None:
    assert "--data-checksums" in initdb_options()
    assert "-Xmx1G" in kafka_java_options()
    assert kafka_settings()["log.roll.hours"] == "24"
    assert kafka_settings()["group.initial.rebalance.delay.ms"] == "500"
    assert not {"listeners", "node.id", "authorizer.class.name"} & set(kafka_settings())
