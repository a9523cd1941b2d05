"""README.md's table of components, generated from the one table of the role platform.

`python tests/ansible/component_tables.py` rewrites it; a test compares it.
"""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
START = "<!-- components: made by tests/ansible/component_tables.py -->\n"
END = "<!-- end of components -->\n"


def rows(project: Path = PROJECT) -> dict[str, dict[str, Any]]:
    """The table as it stands, without what an inventory may override."""
    path = project / "roles/platform/vars/main/components.yml"
    return dict(yaml.safe_load(path.read_text())["component_table"])


def markdown(project: Path) -> str:
    """The Markdown table between START and END."""
    lines = ["| component | unit | slice | group | CPU | memory | when it fails |", "|---|---|---|---|---|---|---|"]
    for name, row in rows(project).items():
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
