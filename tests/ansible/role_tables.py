"""The option table of a role's README, generated from its argument specs.

`python tests/ansible/role_tables.py` rewrites the tables; the tests compare them.
"""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in PROJECT.joinpath("roles").iterdir())
START, END = "<!-- options: made by tests/ansible/role_tables.py -->\n", "<!-- end of options -->\n"


def argument_specs(role: str) -> dict[str, Any]:
    return dict(
        yaml.safe_load(PROJECT.joinpath("roles", role, "meta/argument_specs.yml").read_text())["argument_specs"]
    )


def options(role: str) -> dict[str, dict[str, Any]]:
    """All options of a role, those of its further entry points included."""
    return {name: option for spec in argument_specs(role).values() for name, option in spec["options"].items()}


def defaults(role: str) -> dict[str, Any]:
    """What a role's defaults/main.yml holds, or all files of its defaults/main/."""
    directory = PROJECT.joinpath("roles", role, "defaults")
    paths = [*directory.glob("main.yml"), *sorted(directory.glob("main/*.yml"))]
    return {name: value for path in paths for name, value in (yaml.safe_load(path.read_text()) or {}).items()}


def table(role: str) -> str:
    """The Markdown table between START and END: the options of main, or of the entry points where main has none."""
    rows = ["| option | type | default | what it is |", "|---|---|---|---|"]
    for name, option in (argument_specs(role)["main"]["options"] or options(role)).items():
        default = "required" if option.get("required") else f"`{option['default']}`" if "default" in option else ""
        description = option["description"]
        text = description if isinstance(description, str) else " ".join(description)
        rows.append(f"| `{name}` | {option['type']} | {default} | {text} |")
    return START + "\n".join(rows) + "\n" + END


def with_table(role: str, readme: str) -> str:
    """The README's text with the table as it should be."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + table(role) + after


def main() -> None:
    for role in ROLES:
        path = PROJECT / "roles" / role / "README.md"
        path.write_text(with_table(role, path.read_text()))


if __name__ == "__main__":
    main()
