"""The map (architecture, glossary) names packages, classes, tables and locks that exist, and leaves none out."""

import re
from pathlib import Path

from lambda_app.database.locks import Lock

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "lambda_app"
ARCHITECTURE = PROJECT.joinpath("docs/architecture.md").read_text()
GLOSSARY = PROJECT.joinpath("docs/glossary.md").read_text()


def section(title: str) -> str:
    return ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """The first column of the tables in a section, without their headings."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        row.split(" | ")[0].removeprefix("| ")
        for row in rows
        if row.split(" | ")[0] not in {"| package", "| table", "| class"}
    ]


def test_classes_that_the_map_names_exist() -> None:
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", ARCHITECTURE + GLOSSARY))
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))

    assert "Run" in named
    assert [name for name in sorted(named) if not re.search(rf"^class {name}\b", code, re.MULTILINE)] == []


def test_every_package_is_on_the_map() -> None:
    packages = {
        f"`lambda_app/{path.name}/`" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"
    }

    assert set(first_cells(section("Packages"))) == packages


def test_every_table_is_on_the_map() -> None:
    tables = set(
        re.findall(r"^CREATE TABLE lambda\.(\w+)", PACKAGE.joinpath("sql/schema.sql").read_text(), re.MULTILINE)
    )

    assert first_cells(section("Tables")) != []
    assert set(first_cells(section("Tables"))) == {f"`{table}`" for table in tables}


def test_every_class_of_advisory_locks_is_on_the_map() -> None:
    assert first_cells(section("Advisory locks")) == [f"{lock.value}, `{lock.name}`" for lock in Lock]
