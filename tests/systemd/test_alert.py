"""roles/common/files/lambda-alert as ExecStopPost= calls it, with a systemctl that says what the test wants."""

import os
import subprocess
from pathlib import Path

import pytest

ALERT = Path(__file__).parents[2] / "roles/common/files/lambda-alert"
RETRIED = {"Restart": "on-failure", "RestartPreventExitStatus": "1 77 78", "RestartUSec": "5min", "NRestarts": "0"}
FAILED = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "75"}
KILLED = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}
MINUTE = 60_000_000


def was_active(microseconds: int) -> dict[str, str]:
    """What systemd says of a unit that was active for this many microseconds."""
    start = 5_000_000
    return {
        "InactiveExitTimestampMonotonic": str(start),
        "ActiveEnterTimestampMonotonic": str(start + 1000),
        "ActiveExitTimestampMonotonic": str(start + 1000 + microseconds),
    }


NEVER_ACTIVE = was_active(60 * MINUTE) | {"InactiveExitTimestampMonotonic": str(70 * MINUTE)}


def alerts(directory: Path, variables: dict[str, str], properties: dict[str, str], job: str = "") -> str:
    """The fields that are written to the journal, a line each."""
    programs = {
        "systemctl": 'case $1 in list-jobs) cat "$0.job" ;; *) cat "$0.${2#--property=}" ;; esac',
        "logger": '[ "$*" = --journald ] && cat',
    }
    for name, script in programs.items():
        directory.joinpath(name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        directory.joinpath(name).chmod(0o755)
    for name, value in (properties | {"job": job}).items():
        directory.joinpath(f"systemctl.{name}").write_text(value + "\n", encoding="utf-8")
    environment = {"PATH": f"{directory}:{os.environ['PATH']}", **variables}
    command = [ALERT, "lambda-csv-batch.service"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("variables", "properties", "told"),
    [
        (FAILED, RETRIED, "(exit-code, exit status 75), systemd starts it again after 5min"),
        (FAILED | {"EXIT_STATUS": "1"}, RETRIED, "(exit-code, exit status 1), systemd does not start it again"),
        # Given up in the end: a fact of its own, however often it was restarted before.
        (
            FAILED | {"EXIT_STATUS": "1"},
            RETRIED | {"NRestarts": "2"},
            "(exit-code, exit status 1), systemd does not start it again",
        ),
        (FAILED, RETRIED | {"Restart": "no"}, "(exit-code, exit status 75), systemd does not start it again"),
        (KILLED, RETRIED, "(signal, signal KILL), systemd starts it again after 5min"),
        # Nothing ran: systemd could not read the unit's environment, say.
        ({"SERVICE_RESULT": "resources"}, RETRIED, "(resources), systemd starts it again after 5min"),
        # The program that Type=forking starts failed: systemd tells no status.
        (
            {"SERVICE_RESULT": "exit-code"},
            RETRIED | {"RestartPreventExitStatus": ""},
            "(exit-code), systemd starts it again after 5min",
        ),
        # It had worked for long enough.
        (
            KILLED,
            RETRIED | {"NRestarts": "3"} | was_active(3 * MINUTE),
            "(signal, signal KILL), systemd starts it again after 5min",
        ),
        # systemd does not answer.
        (FAILED, {}, "(exit-code, exit status 75), systemd does not start it again"),
    ],
)
def test_failure_is_told_with_result_outlook_and_next_command(variables, properties, told, tmp_path):
    fields = dict(line.split("=", 1) for line in alerts(tmp_path, variables, properties).splitlines())

    assert fields == {
        "MESSAGE": f"lambda-csv-batch.service failed {told}: see journalctl -u lambda-csv-batch.service",
        "PRIORITY": "1",
        "SYSLOG_IDENTIFIER": "lambda-alert",
        "LAMBDA_EVENT": "unit_failed",
        "OBJECT_SYSTEMD_UNIT": "lambda-csv-batch.service",
        "RESULT": variables["SERVICE_RESULT"],
    }


@pytest.mark.parametrize(
    ("variables", "properties", "job"),
    [
        ({"SERVICE_RESULT": "success"}, RETRIED, ""),
        # The outage was told at its first failure.
        (FAILED, RETRIED | {"NRestarts": "1"} | NEVER_ACTIVE, ""),
        (KILLED, RETRIED | {"NRestarts": "1"} | was_active(MINUTE), ""),
        # Someone stops it.
        (KILLED | {"EXIT_STATUS": "TERM"}, RETRIED, "17 lambda-csv-batch.service stop running"),
        (KILLED | {"EXIT_STATUS": "TERM"}, RETRIED, "17 lambda-csv-batch.service restart running"),
    ],
)
def test_nothing_is_told_of_success_of_a_retry_and_of_a_stop(variables, properties, job, tmp_path):
    assert alerts(tmp_path, variables, properties, job) == ""


def test_failure_while_it_starts_is_told(tmp_path):
    assert "failed" in alerts(tmp_path, FAILED, RETRIED, "17 lambda-csv-batch.service start running")
