"""The module write_files, run by Ansible as the roles run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files belong to root")


def write(files: dict[str, str], *options: str, mode: str = "0644") -> dict[str, object]:
    """What the module says of these files."""
    command = [Path(sys.executable).with_name("ansible"), "localhost", "--inventory", "localhost,", "--connection"]
    library = ["--module-path", PROJECT / "roles/common/library", "--module-name", "write_files"]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    result = subprocess.run(
        [*command, "local", *library, "--args", json.dumps({"files": files, "mode": mode}), *options],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=PROJECT,
    )
    return json.loads(result.stdout.partition("=> ")[2])


def test_files_and_their_directories_are_made_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.service", tmp_path / "a.service.d/limits.conf"
    files = {str(first): "[Unit]\n", str(second): "[Service]\n"}

    results = [write(files), write(files)]

    assert [result["changed"] for result in results] == [True, False]
    assert results[0]["written"] == sorted(files)
    assert [path.read_text() for path in (first, second)] == ["[Unit]\n", "[Service]\n"]
    assert second.stat().st_mode & 0o777 == 0o644


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    same.write_text("x")
    other.write_text("y")

    assert write({str(same): "x", str(other): "z"})["written"] == [str(other)]
    assert other.read_text() == "z"


def test_mode_is_put_right_and_that_of_the_directory_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0o644)

    assert write({str(path): "x"}, mode="0600")["changed"] is True
    assert path.stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_check_mode_says_what_would_change_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "new/file"

    result = write({str(path): "x"}, "--check", "--diff")

    assert result["changed"] is True
    assert not path.parent.exists()
