"""README.md's table of components, generated from the one table of the role platform.

`python tests/ansible/component_tables.py` rewrites it; a test compares it.
"""

import platform
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
START = "<!-- components: made by tests/ansible/component_tables.py -->\n"
END = "<!-- end of components -->\n"


def rows(project: Path = PROJECT) -> dict[str, dict[str, Any]]:
    """The table as it is on this machine, without what an inventory may override."""
    system = platform.freedesktop_os_release()
    facts = project / f"roles/postgres/vars/{system['ID'].capitalize()}_{system['VERSION_ID']}.yml"
    return _rows(project, yaml.safe_load(facts.read_text())["__postgres_version"])


def _rows(project: Path, postgres_version: str) -> dict[str, dict[str, Any]]:
    text = project.joinpath("roles/platform/vars/main/components.yml").read_text()
    table = yaml.safe_load(text.replace("{{ __postgres_version }}", postgres_version))
    return dict(table["component_table"])


def markdown(project: Path) -> str:
    """The Markdown table between START and END."""
    lines = ["| component | unit | slice | group | CPU | memory | when it fails |", "|---|---|---|---|---|---|---|"]
    for name, row in _rows(project, "VERSION").items():
        cells = [name, f"`{row['unit']}`", f"`{row['slice']}`" if "slice" in row else "", f"`{row['group']}`"]
        cells += [row.get("cpu_quota", ""), row.get("memory_max", ""), row["failure"]]
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return START + "\n".join(lines) + "\n" + END


def with_table(readme: str, project: Path = PROJECT) -> str:
    """The README's text with the table as it should be."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + markdown(project) + after


def main() -> None:
    path = PROJECT / "README.md"
    path.write_text(with_table(path.read_text()))


if __name__ == "__main__":
    main()
