"""Every file that a document names is in the repository."""

import re
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

PROJECT = Path(__file__).parents[2]
# A name in backticks with an ending that only files of the repository have; units of Debian have an @.
NAME = re.compile(r"`([\w./-]+\.(?:py|sql|md|yml|j2|service|timer|path|slice|target|svg|jsonl)|(?:[\w.-]+/)+)`")
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
# Names that stand for any name.
PLACEHOLDER = re.compile(r"ROLE|NNNN|NAME|SCENARIO|UNIT|GROUP|HOST")
# Directories on a host.
ON_HOSTS = {"inbox/", "claimed/", "done/", "failed/", "generated/", ".secrets/", "/etc/", "conf.d/", "bin/"}


@cache
def repository() -> frozenset[str]:
    """Paths of all files and, with a slash at the end, of all directories."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    files = [path for path in listed if PROJECT.joinpath(path).exists()]
    return frozenset(files) | {f"{parent}/" for path in files for parent in PurePosixPath(path).parents}


def documents() -> list[str]:
    return sorted(path for path in repository() if path.endswith(".md"))


def is_there(name: str) -> bool:
    """Whether it is the path of something in the repository, or the end of one: `audit.py`, `core/audit.py`.

    A file that a template of its name makes is there, too.
    """
    return any(f"/{path}".removesuffix(".j2").endswith(f"/{name.removesuffix('.j2')}") for path in repository())


def missing_names(text: str) -> list[str]:
    names = NAME.findall(FENCED.sub("", text))
    return [
        name
        for name in names
        if not name.startswith("/") and name not in ON_HOSTS and not PLACEHOLDER.search(name) and not is_there(name)
    ]


def unreleased(changelog: str) -> str:
    """The changelog's newest section: what an earlier release had may be gone by now."""
    return changelog.partition("\n## ")[2].partition("\n## ")[0]


@pytest.mark.parametrize("document", documents())
def test_document_names_files_that_exist(document: str) -> None:
    text = PROJECT.joinpath(document).read_text()
    if document == "CHANGELOG.md":
        text = unreleased(text)

    assert missing_names(text) == []


def test_a_file_that_does_not_exist_is_found() -> None:
    text = "`docs/decisions.md`, `decisions.md`, `lambda_app/core/`, `gone.py`, `core/gone/`.\n```sh\n`other.py`\n```\n"

    assert missing_names(text) == ["gone.py", "core/gone/"]
