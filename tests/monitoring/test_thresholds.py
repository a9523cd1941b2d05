"""Each number of monitoring/thresholds.yml is used, and is exactly where the tests of its alert look."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.monitoring.rules import failing_alerts, render_all, rule_files, thresholds

NAMED = re.compile(r"<< (\w+) >>")


def test_each_threshold_is_used() -> None:
    used = {name for path in rule_files() for name in NAMED.findall(path.read_text(encoding="utf-8"))}

    assert used == set(thresholds())


@pytest.mark.parametrize("up", [True, False], ids=["higher", "lower"])
def test_threshold_that_moves_a_little_fails_the_tests_of_its_alert_alone(tmp_path: Path, up: bool) -> None:
    for number, moved in enumerate(rounds()):
        directory = tmp_path / str(number)
        directory.mkdir()
        render_all(directory, {name: nudged(thresholds()[name], up) for name in moved.values()})

        assert failing_alerts(directory) == set(moved)


def rounds() -> Iterator[dict[str, str]]:
    """Of each alert one threshold that is a number, in as many rounds as one alert has of them."""
    used = defaultdict(list)
    for path in rule_files():
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                for name in dict.fromkeys(NAMED.findall(f"{rule['expr']} {rule.get('for', '')}")):
                    if re.fullmatch(r"[\d.]+m?", str(thresholds()[name])):
                        used[rule["alert"]].append(name)
    for number in range(max(map(len, used.values()))):
        yield {alert: names[number] for alert, names in used.items() if number < len(names)}


def nudged(value: object, up: bool) -> object:
    """A value a little higher or lower: minutes by one, whole numbers by a twelfth, others by a twentieth."""
    sign = 1 if up else -1
    if isinstance(value, str):
        return f"{int(value.removesuffix('m')) + sign}m"
    if isinstance(value, int):
        return value + sign * max(1, value // 12)
    assert isinstance(value, float)
    return value * (1 + sign / 20)
