"""The runbook has a section for each alert, and its commands are those that there are."""

import re
import shlex

import click
import pytest
import yaml

from lambda_app.cli import app
from tests.monitoring.rules import MONITORING, Rule, rules

PROJECT = MONITORING.parent
PARTS = ["Meaning", "Cause", "Look", "Do", "Escalate"]
TEXT = (PROJECT / "docs/runbook.md").read_text(encoding="utf-8")
# Stand for any.
PLACEHOLDERS = {"UNIT", "PID"}
# Of Debian, and those that the role monitoring installs.
OTHER_UNITS = {
    "chrony",
    "systemd-timesyncd",
    "postgresql@*",
    "lambda-metrics",
    "*alertmanager*",
    "*prometheus*",
    "*node-exporter*",
}


def sections() -> dict[str, str]:
    """The text of each alert's section, by its heading."""
    found = re.split(r"^### (\w+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def commands() -> list[list[str]]:
    """Every command, of blocks and of sentences, in words."""
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    sentences = re.sub(r"^```sh\n.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for line in [*lines, *re.findall(r"`([a-z][\w-]+ [^`]+)`", sentences)]]


def of_program(program: str) -> list[list[str]]:
    return [words[1:] for words in commands() if words and words[0] == program]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_alert_has_a_section_with_all_parts(rule: Rule) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\*", sections()[rule.name], re.MULTILINE) == PARTS


def test_each_section_is_of_an_alert_and_stands_once() -> None:
    headings = re.findall(r"^### (.*)$", TEXT, re.MULTILINE)

    assert sorted(headings) == sorted(rule.name for rule in rules())


def test_each_link_leads_to_a_section() -> None:
    links = re.findall(r"\]\(#([\w-]+)\)", TEXT)

    assert len(links) > 10
    assert set(links) <= {name.lower() for name in sections()}


def test_each_call_of_lambda_app_is_one_that_it_takes() -> None:
    calls = of_program("lambda-app")

    assert len(calls) > 30
    for call in calls:
        command: click.Command = app
        words = list(call)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found, call
            command = found
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, call


def test_each_tool_of_kafka_is_there() -> None:
    tools = (PROJECT / "roles/kafka/files/host/bin/kafka-tool").read_text(encoding="utf-8")
    called = {words[0] for words in commands() if words and words[0].startswith("kafka-")}

    assert len(called) > 4
    assert called <= set(re.findall(r"^(kafka-[\w-]+) +\S+$", tools, re.MULTILINE))


def test_each_unit_is_one_of_the_platform() -> None:
    table = yaml.safe_load((PROJECT / "roles/platform/vars/main/components.yml").read_text(encoding="utf-8"))
    known = {row["unit"] for row in table["component_table"].values()} | OTHER_UNITS
    named = {word for words in of_program("systemctl") for word in words[1:] if not word.startswith("-")}
    named |= {
        words[place + 1] for words in of_program("journalctl") for place, word in enumerate(words[:-1]) if word == "-u"
    }
    # `-p NAME` names a property, `list-timers` takes a pattern.
    named -= {"NRestarts", "Result", "lambda-*"}

    assert len(named) > 10
    assert {name for name in named if name not in known and f"{name}.service" not in known} <= PLACEHOLDERS
