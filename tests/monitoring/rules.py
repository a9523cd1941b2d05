"""The rules of the alerts as a host has them: rendered with the numbers of monitoring/thresholds.yml, and read."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

MONITORING = Path(__file__).parents[2] / "monitoring"
# Ansible's template module gets the same two delimiters.
_TEMPLATES = Environment(variable_start_string="<<", variable_end_string=">>", undefined=StrictUndefined)
NONE: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Rule:
    """An alert, rendered."""

    file: str
    name: str
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class Expectation:
    """What a test of promtool expects of an alert at one moment."""

    alert: str
    # Of each alert that fires; none: it is quiet.
    firing: tuple[Mapping[str, str], ...]


@cache
def thresholds() -> Mapping[str, Any]:
    return MappingProxyType(_read(MONITORING / "thresholds.yml"))


def rule_files() -> list[Path]:
    return sorted(MONITORING.glob("alerts/*.yml"))


def promtool_tests() -> list[Path]:
    return sorted(MONITORING.glob("alerts/tests/*.yml"))


def render(path: Path, changes: Mapping[str, object] = NONE) -> str:
    return _TEMPLATES.from_string(path.read_text(encoding="utf-8")).render({**thresholds(), **changes})


def render_all(directory: Path, changes: Mapping[str, object] = NONE) -> None:
    """Writes what promtool reads: the rules, and their tests in tests/."""
    (directory / "tests").mkdir()
    for path in rule_files():
        (directory / path.name).write_text(render(path, changes), encoding="utf-8")
    for path in promtool_tests():
        (directory / "tests" / path.name).write_bytes(path.read_bytes())


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def failing_alerts(directory: Path) -> set[str]:
    """Names of the alerts for which promtool finds something else than their tests say, of what render_all wrote."""
    tested = promtool("test", "rules", *sorted(directory.glob("tests/*.yml")))
    failing = set(re.findall(r'alertname(?:: |=\\")(\w+)', tested.stdout + tested.stderr))
    assert bool(failing) == bool(tested.returncode), tested.stdout + tested.stderr
    return failing


@cache
def rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(path.name, rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for path in rule_files()
        for group in yaml.safe_load(render(path))["groups"]
        for rule in group["rules"]
    )


@cache
def expectations() -> tuple[Expectation, ...]:
    """Of the tests of promtool, each of which asks which alerts of a name fire."""
    return tuple(
        Expectation(
            question["expr"].partition('alertname="')[2].partition('"')[0],
            tuple(_labels(sample["labels"]) for sample in question["exp_samples"]),
        )
        for path in promtool_tests()
        for test in _read(path)["tests"]
        for question in test["promql_expr_test"]
    )


def _labels(text: str) -> Mapping[str, str]:
    """Of a sample such as `ALERTS{severity="critical", job="kafka"}`."""
    pairs = (pair.partition("=") for pair in text.partition("{")[2].rstrip("}").split(", "))
    return {name.strip(): value.strip('"') for name, _, value in pairs}


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
