"""The changelog and the package agree on the releases."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HEADING = re.compile(r"^## (\d+\.\d+\.\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def releases() -> list[tuple[str, str]]:
    """Version and date of each section of the changelog."""
    return HEADING.findall(PROJECT.joinpath("CHANGELOG.md").read_text())


def test_package_has_the_version_of_the_newest_section() -> None:
    project = tomllib.loads(PROJECT.joinpath("pyproject.toml").read_text())["project"]

    assert releases()[0][0] == project["version"]


def test_sections_are_releases_newest_first_and_only_the_newest_may_be_unreleased() -> None:
    sections = re.findall(r"^## .*$", PROJECT.joinpath("CHANGELOG.md").read_text(), re.MULTILINE)
    versions = [tuple(map(int, version.split("."))) for version, _ in releases()]
    dates = [date for _, date in releases()]

    assert len(sections) == len(versions)
    assert versions == sorted(set(versions), reverse=True)
    assert "unreleased" not in dates[1:]
