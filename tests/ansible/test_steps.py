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


def test_checks_run_side_by_side_and_print_one_after_the_other() -> None:
    # Each waits for the other; neither would end if they ran in turn.
    meet = "echo {0} begins; {1}; echo {0} ends"
    script = (
        'cd "$(mktemp --directory)"; mkfifo to_a to_b; side_by_side'
        f' a "{meet.format("a", "echo hello >to_b; read -r _ <to_a")}"'
        f' b "{meet.format("b", "read -r _ <to_b; echo hello >to_a")}"'
    )

    result = run(script)

    assert result.returncode == 0
    assert re.findall(r"^[ab] (?:begins|ends)", result.stdout, re.MULTILINE) == [
        "a begins",
        "a ends",
        "b begins",
        "b ends",
    ]
    assert set(table(result.stdout)) == {"a ", "b ", "all "}


def test_one_that_fails_beside_another_fails_the_run_after_both() -> None:
    result = run('side_by_side a "exit 4" b "sleep 1; echo b ends"; step "next" echo next')

    assert result.returncode == 4
    assert "b ends" in result.stdout
    assert "== next" not in result.stdout
    assert table(result.stdout)[-1] == "all "
