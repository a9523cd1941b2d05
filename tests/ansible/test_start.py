"""common's entry point start, with stand-ins for systemctl and journalctl: the host's own are not touched."""

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Units are loaded and inactive. FAILS is the unit whose start fails when it is waited for.
SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$0.calls"
case "$*" in
    *show*) printf 'Id=x\\nLoadState=loaded\\nActiveState=inactive\\nUnitFileState=disabled\\n' ;;
    *is-enabled*) echo disabled; exit 1 ;;
    *--no-block*) ;;
    start*FAILS*) echo "Job for FAILS failed." >&2; exit 1 ;;
esac
"""
JOURNALCTL = '#!/bin/sh\necho "last words of $*"\n'
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  environment: {PATH: "%s:{{ lookup('env', 'PATH') }}"}
  tasks:
    - ansible.builtin.include_role: {name: common, tasks_from: start}
      vars: %s
"""


def start(tmp_path: Path, variables: str, fails: str = "nothing") -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The run, and what systemctl was asked to change."""
    for name, text in {"systemctl": SYSTEMCTL.replace("FAILS", fails), "journalctl": JOURNALCTL}.items():
        tmp_path.joinpath(name).write_text(text)
        tmp_path.joinpath(name).chmod(0o755)
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK % (tmp_path, variables))
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(playbook)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=PROJECT)
    calls = tmp_path.joinpath("systemctl.calls").read_text().splitlines()
    return result, [call for call in calls if "start" in call.split() or "enable" in call.split()]


def enabled(calls: list[str]) -> list[str]:
    return [call.split()[-1] for call in calls if "enable" in call.split()]


def test_units_start_now_and_at_boot_and_are_waited_for_together(tmp_path: Path) -> None:
    result, calls = start(tmp_path, "{common_units: [a.service, b.service]}")

    assert result.returncode == 0, result.stdout
    assert enabled(calls) == ["a.service", "b.service"]
    assert calls[-1] == "start a.service b.service"


def test_unit_that_another_one_starts_is_not_enabled(tmp_path: Path) -> None:
    result, calls = start(tmp_path, "{common_units: [a.service, a.target], common_enabled: [a.target]}")

    assert result.returncode == 0, result.stdout
    assert enabled(calls) == ["a.target"]


def test_nobody_waits_for_a_unit_that_is_slow(tmp_path: Path) -> None:
    result, calls = start(tmp_path, "{common_units: [a.service], common_wait: false}", fails="a.service")

    assert result.returncode == 0, result.stdout
    assert "start a.service" not in calls


@pytest.mark.parametrize("fails", ["a.service", "b.service"])
def test_unit_that_does_not_work_is_named_with_its_journal(tmp_path: Path, fails: str) -> None:
    result, _ = start(tmp_path, "{common_units: [a.service, b.service]}", fails=fails)

    said = " ".join(result.stdout.split())
    assert result.returncode == 2
    assert f"Not all of a.service, b.service work (Job for {fails} failed.)." in said
    assert "last words of --no-pager --lines=40 --output=cat --unit=a.service --unit=b.service" in said
