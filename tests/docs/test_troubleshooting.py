"""Troubleshooting quotes what the programs, the playbooks and the units really say."""

import re
import subprocess
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# Said by Ansible, systemd and PostgreSQL.
SAID_BY_OTHERS = {
    "Ansible requires the locale encoding to be UTF-8",
    "signal KILL",
    "oom-kill",
    "out of shared memory",
    "canceling statement due to statement timeout",
}
NO_MESSAGES = {"up", "lambda-alert", "jobs", "Migration"}


@cache
def sources() -> str:
    """Everything that says something, with texts that are cut into several literals or lines put together."""
    listed = ["git", "ls-files", "lambda_app/*.py", "roles", "playbooks", "platform"]
    paths = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    text = "\n".join(PROJECT.joinpath(path).read_text() for path in paths)
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\s+", " ", text)


def messages(document: str) -> list[str]:
    """What stands in backticks in the first column of each table of messages."""
    found = []
    for table in re.findall(r"^\| message .*\n\|---.*\n((?:\|.*\n)+)", document, re.MULTILINE):
        for row in table.splitlines():
            found += re.findall(r"`([^`]+)`", row.split(" | ")[0])
    return found


def unsaid(texts: list[str]) -> list[str]:
    said = sources()
    return [text for text in texts if not all(part.strip() in said for part in text.split("..."))]


def test_each_message_is_one_that_something_says() -> None:
    texts = messages(PROJECT.joinpath("docs/troubleshooting.md").read_text())

    assert len(texts) > 80
    assert unsaid([text for text in texts if text not in SAID_BY_OTHERS | NO_MESSAGES]) == []


def test_a_message_that_nothing_says_is_found() -> None:
    document = "| message | why |\n|---|---|\n| `Kafka is away: ` | a |\n| `Kafka ... is asleep today` (log) | `b` |\n"

    assert unsaid(messages(document)) == ["Kafka ... is asleep today"]
