"""The JMX agent asks for no more than its rules use."""

import re

import yaml

from tests.monitoring.rules import MONITORING

OBJECT = re.compile(r"([\w.]+)[<:]type=(\w+), ?name=([^,>]+)")


def test_agent_asks_for_the_objects_that_its_rules_name_and_for_no_others() -> None:
    jmx = yaml.safe_load((MONITORING / "jmx-kafka.yml").read_text(encoding="utf-8"))
    asked = {match.groups() for match in map(OBJECT.match, jmx["includeObjectNames"]) if match}
    read = [match.groups() for match in (OBJECT.match(rule["pattern"]) for rule in jmx["rules"]) if match]

    assert len(asked) == len(jmx["includeObjectNames"])
    assert len(read) == len(jmx["rules"])
    matched = {
        each
        for each in asked
        for domain, kind, name in read
        if each[:2] == (domain, kind) and re.fullmatch(name, each[2])
    }
    assert matched == asked
    assert all(
        any(each[:2] == (domain, kind) and re.fullmatch(name, each[2]) for each in asked) for domain, kind, name in read
    )


def test_each_metric_of_the_agent_says_what_it_is() -> None:
    jmx = yaml.safe_load((MONITORING / "jmx-kafka.yml").read_text(encoding="utf-8"))

    for rule in jmx["rules"]:
        assert rule["help"].endswith(".")
        assert rule["name"].endswith("_total") == (rule["type"] == "COUNTER")
