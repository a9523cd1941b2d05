"""The files of the chart library are those that were committed as sums, whatever Maven brings."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY
from tests.support.prometheus_server import CHART_LIBRARY

DOWNLOAD = REPOSITORY / "monitoring/chart-library/download"
NAMES = {"LICENSE", "uPlot.esm.js", "uPlot.min.css"}
# Writes what it is told to be uPlot where the real one would be unpacked.
MAVEN = """#!/bin/sh
for option; do case $option in -DoutputDirectory=*) out=${option#*=} ;; esac; done
mkdir -p "$out/dist"
cp "$SERVED"/* "$out/dist/"
"""


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """What Maven brings: the true files, for a test to change."""
    subprocess.run([DOWNLOAD, CHART_LIBRARY], check=True, capture_output=True)
    shutil.copytree(CHART_LIBRARY, tmp_path / "served")
    return tmp_path / "served"


@pytest.fixture
def environment(tmp_path: Path, served: Path) -> dict[str, str]:
    maven = tmp_path / "bin/mvn"
    maven.parent.mkdir()
    maven.write_text(MAVEN)
    maven.chmod(0o755)
    return {**os.environ, "PATH": f"{maven.parent}:{os.environ['PATH']}", "SERVED": str(served)}


def download(directory: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DOWNLOAD, directory], env=environment, capture_output=True, text=True)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_files_are_fetched_once(tmp_path: Path, environment: dict[str, str]) -> None:
    first = download(tmp_path / "library", environment)
    second = download(tmp_path / "library", environment)

    assert (first.returncode, first.stdout) == (0, "changed\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, "unchanged\n")
    assert names(tmp_path / "library") == NAMES


@pytest.mark.parametrize("change", ["altered", "missing", "added"])
def test_what_differs_on_the_controller_is_fetched_again(
    tmp_path: Path, environment: dict[str, str], change: str
) -> None:
    library = tmp_path / "library"
    download(library, environment)
    if change == "altered":
        library.joinpath("uPlot.esm.js").write_text("other")
    elif change == "missing":
        library.joinpath("LICENSE").unlink()
    else:
        library.joinpath("other.js").write_text("other")

    assert download(library, environment).stdout == "changed\n"
    assert names(library) == NAMES


@pytest.mark.parametrize("change", ["altered", "missing"])
def test_other_files_from_maven_are_refused(
    tmp_path: Path, served: Path, environment: dict[str, str], change: str
) -> None:
    if change == "altered":
        served.joinpath("uPlot.esm.js").write_text("other")
    else:
        served.joinpath("uPlot.esm.js").unlink()

    refused = download(tmp_path / "library", environment)

    assert refused.returncode == 1
    assert "uPlot.esm.js" in refused.stderr
    assert not (tmp_path / "library").exists()
