"""The lookup that generates a secret once, wherever the checkout lies."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def look_up(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "ansible.builtin.debug"]
    environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "SECRET": str(path)}
    message = "msg=<{{ lookup('secret', lookup('env', 'SECRET')) }}>"
    return subprocess.run([*command, "-a", message], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("directory", ["plain", 'it\'s "my" platform', "100% {new} [1]"])
def test_secret_is_generated_once_for_its_owner_alone(tmp_path: Path, directory: str) -> None:
    path = tmp_path / directory / "local" / "kafka-admin"

    first, second = look_up(path), look_up(path)

    password = path.read_text().rstrip("\n")
    assert len(password) == 32
    assert password.isalnum()
    assert f"<{password}>" in first.stdout
    assert f"<{password}>" in second.stdout
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_secret_is_the_same_for_all_who_ask_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kafka-admin"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(look_up, [path] * 4))

    assert all(f"<{path.read_text().strip()}>" in answer.stdout for answer in answers)


def test_empty_secret_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "kafka-admin"
    path.touch()

    answer = look_up(path)

    assert answer.returncode != 0
    assert f"{path} is empty" in answer.stdout + answer.stderr
