"""Servers set as the roles set them: read from the roles and the units themselves, so that no copy can differ."""

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.support.postgres_server import PostgresServer
from tests.support.processes import REPOSITORY

# Where a test server listens and logs is its own affair.
_OWN = re.compile(r"port|listen_addresses|log_.*|syslog_.*|.*_file")
_OWN_OF_KAFKA = re.compile(
    r"process\.roles|node\.id|log\.dirs|super\.users|allow\.\S*|\S*(?:listener|sasl|ssl|quorum|authorizer)\S*"
)
# What a test server sets, and the role leaves to Kafka or to the topic.
_KAFKA_DEFAULTS = {"log.retention.check.interval.ms": "300000", "log.retention.ms": "604800000"}
# Asked at the start: without these a figure would say nothing about a deployed server.
_PROVEN = ("data_checksums", "fsync", "full_page_writes", "synchronous_commit", "wal_compression", "shared_buffers")


def postgres_settings() -> dict[str, str]:
    """The settings of roles/postgres with its defaults."""
    role = REPOSITORY / "roles/postgres"
    # In the order in which the later win, as Ansible has it.
    variables = (
        REPOSITORY / "roles/platform/defaults/main/platform.yml",
        REPOSITORY / "roles/platform/vars/main/tls.yml",
        role / "defaults/main.yml",
        role / "vars/main.yml",
    )
    with tempfile.TemporaryDirectory(prefix="lambda-render-") as directory:
        rendered = Path(directory, "lambda.conf")
        subprocess.run(
            [
                *[Path(sys.executable).with_name("ansible"), "localhost"],
                *["--inventory", "localhost,", "--connection", "local"],
                *["--module-name", "ansible.builtin.template"],
                *["--args", f"src='{role / 'templates/lambda.conf.j2'}' dest='{rendered}'"],
                *(f"--extra-vars=@{path}" for path in variables),
                # As on one host.
                "--extra-vars=platform_tls=false",
            ],
            check=True,
            capture_output=True,
            cwd=REPOSITORY,
        )
        return parse_settings(rendered.read_text(encoding="utf-8"))


def parse_settings(text: str) -> dict[str, str]:
    """The settings in the text of a postgresql.conf, without those that are a server's own."""
    pairs = re.findall(r"^(\w+) *= *'?([^'\n]*?)'?$", text, re.MULTILINE)
    return {name: value for name, value in pairs if not _OWN.fullmatch(name)}


def initdb_options() -> list[str]:
    """How the role lets Debian make a cluster."""
    text = (REPOSITORY / "roles/postgres/tasks/install.yml").read_text(encoding="utf-8")
    [options] = re.findall(r"initdb_options = '(.*)'", text)
    return shlex.split(options)


def kafka_java_options() -> list[str]:
    """Java's options in kafka.service, with the heap of the role's default."""
    defaults = yaml.safe_load((REPOSITORY / "roles/kafka/defaults/main.yml").read_text(encoding="utf-8"))
    unit = (REPOSITORY / "systemd/kafka.service").read_text(encoding="utf-8")
    return [
        option.replace("${KAFKA_HEAP_SIZE}", defaults["kafka_heap_size"])
        for option in re.findall(r"(?<=\s)-X\S+", unit)
    ]


def kafka_settings() -> dict[str, str]:
    """The settings of roles/kafka that say nothing of where a server listens and who may come in."""
    template = REPOSITORY / "roles/kafka/templates/server.properties.j2"
    pairs = re.findall(r"^([\w.]+)=([^{\n]*)$", template.read_text(encoding="utf-8"), re.MULTILINE)
    return _KAFKA_DEFAULTS | {name: value for name, value in pairs if not _OWN_OF_KAFKA.fullmatch(name)}


def prove(server: PostgresServer, settings: Mapping[str, str]) -> None:
    """Fails unless the server runs with what it was given, and with checksums."""
    wanted = {name: settings[name] for name in _PROVEN if name in settings} | {"data_checksums": "on", "fsync": "on"}
    found = {name: str(server.execute(f"SHOW {name}")[0][0]) for name in wanted}
    differing = {name: (found[name], value) for name, value in wanted.items() if not _is_same(found[name], value)}
    assert not differing, f"the server is not set as the role sets it: {differing}"


def _is_same(found: str, wanted: str) -> bool:
    sizes = {"kB": 1, "MB": 1024, "GB": 1024**2}

    def kilobytes(text: str) -> float | None:
        match = re.fullmatch(r"(\d+)(kB|MB|GB)", text)
        return int(match[1]) * sizes[match[2]] if match else None

    return found == wanted or (kilobytes(found) is not None and kilobytes(found) == kilobytes(wanted))
