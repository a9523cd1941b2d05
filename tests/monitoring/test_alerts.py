"""Each alert fires when it should and is quiet else, and says what is wrong."""

import re
from pathlib import Path

import pytest
import yaml

from lambda_app.core.metrics.declared import METRICS
from tests.monitoring.rules import (
    MONITORING,
    Rule,
    expectations,
    failing_alerts,
    promtool,
    promtool_tests,
    render_all,
    rule_files,
    rules,
    thresholds,
)

SEVERITIES = {"critical", "warning", "none"}
# It fires always.
NEVER_QUIET = {"DeadMan"}

each_alert = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)


def test_there_are_alerts_and_no_two_of_one_name() -> None:
    names = [rule.name for rule in rules()]

    assert len(names) >= 30
    assert len(names) == len(set(names))


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    render_all(tmp_path)

    checked = promtool("check", "rules", "--lint-fatal", *sorted(tmp_path.glob("*.yml")))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("SUCCESS") == len(rule_files())


def test_alerts_fire_and_are_quiet_as_their_tests_say(tmp_path: Path) -> None:
    render_all(tmp_path)

    assert failing_alerts(tmp_path) == set()


@each_alert
def test_alert_is_tested_to_fire_and_to_be_quiet(rule: Rule) -> None:
    asked = [bool(each.firing) for each in expectations() if each.alert == rule.name]

    assert any(asked)
    assert rule.name in NEVER_QUIET or not all(asked)


def test_each_test_bears_the_name_of_its_alert() -> None:
    names = {rule.name for rule in rules()}
    tests = [test for path in promtool_tests() for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]]

    assert {each.alert for each in expectations()} == names
    assert {test["name"].split(" ")[0] for test in tests} == names


@each_alert
def test_alert_says_what_is_wrong_and_how_bad(rule: Rule) -> None:
    assert rule.labels["severity"] in SEVERITIES
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert rule.annotations["description"].endswith(".")
    assert not rule.annotations["summary"].endswith(".")
    assert rule.annotations["runbook_url"] == f"{thresholds()['runbook']}#{rule.name.lower()}"


@each_alert
def test_alert_names_labels_that_it_has(rule: Rule) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.annotations.values())))
    # `with` says nothing where the label is missing.
    optional = set(re.findall(r"with \$labels\.(\w+)", rule.annotations["summary"]))
    shown = [set(labels) for each in expectations() if each.alert == rule.name for labels in each.firing]

    assert all(named - optional <= labels for labels in shown)
    assert named <= set().union(*shown)


@each_alert
def test_metrics_of_our_own_are_declared(rule: Rule) -> None:
    declared = {metric.name for metric in METRICS}
    jmx = (MONITORING / "jmx-kafka.yml").read_text(encoding="utf-8")
    of_kafka = set(re.findall(r"^ +name: (kafka_\w+)$", jmx, re.MULTILINE))

    assert set(re.findall(r"\blambda_\w+", rule.expression)) <= declared
    assert set(re.findall(r"\bkafka_\w+", rule.expression)) <= of_kafka
