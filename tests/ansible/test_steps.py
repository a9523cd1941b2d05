"""tests/steps.bash: how tests/run runs its checks, and what it prints at the end."""

import re
import subprocess
from pathlib import Path

STEPS = Path(__file__).parents[1] / "steps.bash"


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"set -euo pipefail; . {STEPS}\n{script}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def table(output: str) -> list[str]:
    """The lines of the table at the end, without the seconds."""
    return re.sub(r" +\d+ *", " ", output.partition("seconds\n")[2]).splitlines()


def test_table_has_each_check_and_the_whole() -> None:
    result = run('step "first" echo one; step "second" sh -c "sleep 1"')

    assert result.returncode == 0
    assert table(result.stdout) == ["first ", "second ", "all "]
    assert int(re.findall(r"second +(\d+)", result.stdout)[-1]) >= 1


def test_check_that_fails_is_the_last_and_stands_in_the_table() -> None:
    result = run('step "first" sh -c "exit 3"; step "second" echo two')

    assert result.returncode == 3
    assert "failed with status 3" in result.stdout
    assert table(result.stdout) == ["first failed", "all "]
