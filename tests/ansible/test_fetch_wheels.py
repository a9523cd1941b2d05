"""roles/python_venv/files/fetch-wheels with a pip that notes its calls, and downloads what the test names."""

import subprocess
import tarfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Like `python -m pip`: download puts the files that DOWNLOADS names into --dest, wheel those of BUILT into --wheel-dir.
PYTHON = """#!/bin/sh
echo "$@" >>"$0.calls"
while [ $# -gt 0 ]; do
    case $1 in
        download) names="DOWNLOADS" ;;
        wheel) names="BUILT" ;;
        --dest | --wheel-dir) mkdir -p "$2" && cd "$2" && touch $names ;;
    esac
    shift
done
"""


def fetch(directory: Path, version: str, downloads: str, built: str = "") -> subprocess.CompletedProcess[str]:
    """Runs fetch-wheels for a requirements file of one line."""
    python, requirements = directory / "python", directory / "requirements.txt"
    python.write_text(PYTHON.replace("DOWNLOADS", downloads).replace("BUILT", built))
    python.chmod(0o755)
    requirements.write_text("click==8.5.1\n")
    script = PROJECT / "roles/python_venv/files/fetch-wheels"
    command = [script, python, version, directory / "cache", "lambda", requirements]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wheels(archive: str) -> set[str]:
    with tarfile.open(archive) as file:
        return {Path(member.name).name for member in file.getmembers() if member.isfile()}


def calls(directory: Path) -> list[str]:
    return directory.joinpath("python.calls").read_text().splitlines()


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_wheels_are_those_of_the_hosts_python(tmp_path: Path, version: str) -> None:
    result = fetch(tmp_path, version, "click-py3-none-any.whl")

    assert wheels(result.stdout.strip()) == {"click-py3-none-any.whl"}
    (download,) = calls(tmp_path)
    assert f"--python-version {version} " in download
    assert "--require-hashes" in download
    assert "manylinux_2_36_x86_64" in download
    assert "manylinux_2_37_x86_64" not in download


def test_each_python_has_an_archive_of_its_own_that_is_made_once(tmp_path: Path) -> None:
    archives = [fetch(tmp_path, version, "click-py3-none-any.whl").stdout for version in ("3.11", "3.13", "3.11")]

    assert archives[0] == archives[2] != archives[1]
    assert len(calls(tmp_path)) == 2


def test_what_is_published_as_source_alone_is_built(tmp_path: Path) -> None:
    result = fetch(tmp_path, "3.13", "click-py3-none-any.whl pure.tar.gz", built="pure-py3-none-any.whl")

    assert wheels(result.stdout.strip()) == {"click-py3-none-any.whl", "pure-py3-none-any.whl"}


def test_source_that_builds_for_the_controllers_python_alone_is_refused_by_name(tmp_path: Path) -> None:
    result = fetch(tmp_path, "3.13", "native.tar.gz", built="native-cp311-cp311-linux_x86_64.whl")

    assert result.returncode == 1
    assert "native-cp311-cp311-linux_x86_64.whl was built for the controller's Python alone" in result.stderr
    assert not list(tmp_path.glob("cache/*.tar"))
