"""docs/security.md has each port of the platform, and no other."""

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
COMPONENTS = yaml.safe_load(PROJECT.joinpath("roles/platform/vars/main/components.yml").read_text())["component_table"]
DEFAULTS = yaml.safe_load(PROJECT.joinpath("roles/platform/defaults/main/platform.yml").read_text())
MONITORING = yaml.safe_load(PROJECT.joinpath("roles/monitoring/defaults/main.yml").read_text())
ROWS = re.findall(
    r"^\| (\d+) \| .*? \| (.*?) \| (.*?) \|", PROJECT.joinpath("docs/security.md").read_text(), re.MULTILINE
)


def test_each_port_is_in_the_table_once_with_its_hosts() -> None:
    metrics = {row["metrics_port"]: row["group"] for row in COMPONENTS.values() if "metrics_port" in row}
    named = {
        DEFAULTS["kafka_port"]: "kafka",
        DEFAULTS["kafka_controller_port"]: "kafka",
        DEFAULTS["postgres_port"]: "postgres",
        DEFAULTS["pgadmin_port"]: "pgadmin",
        MONITORING["monitoring_alerts_port"]: "monitoring",
    }

    assert len(ROWS) == len({port for port, _, _ in ROWS})
    assert {int(port): group.strip("`") for port, group, _ in ROWS} == metrics | named


def test_what_opens_a_port_is_a_variable_of_the_roles() -> None:
    variables = {opened.strip("`") for _, _, opened in ROWS} - {"never"}

    readmes = "\n".join(path.read_text() for path in PROJECT.glob("roles/*/README.md"))
    assert variables
    assert [name for name in variables if f"| `{name}` |" not in readmes] == []
