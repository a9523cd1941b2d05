"""The panels: what they name exists, each expression runs, and Grafana's dashboard is made from them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from lambda_app.core.metrics.declared import METRICS
from lambda_app.core.metrics.kinds import MetricType
from tests.monitoring import grafana_dashboard
from tests.support.processes import free_port, wait_until
from tests.support.prometheus_server import PrometheusServer
from tests.support.synthetic_metrics import SyntheticPlatform

PANELS: list[dict[str, Any]] = json.loads(grafana_dashboard.PANELS.read_text())["panels"]
QUERIES = [(panel, query) for panel in PANELS for query in panel["queries"]]
PROVISIONING = grafana_dashboard.MONITORING / "grafana/provisioning"
# Not our own: Prometheus', the node exporter's, and what the JMX agent says of Kafka.
FOREIGN = {
    "up",
    "ALERTS",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "kafka_topic_messages_in_total",
}


def named_metrics(expression: str) -> set[str]:
    """The names in an expression that are neither functions, nor labels, nor values of labels."""
    without_labels = re.sub(r"\{[^}]*\}|\b(?:by|on|without|ignoring) *\([^)]*\)|\[[^\]]*\]", "", expression)
    return set(re.findall(r"\b[a-zA-Z_]\w*\b(?! *\()", without_labels)) - {"or", "and", "by", "unless", "on"}


def declared_names() -> set[str]:
    names = {metric.name for metric in METRICS}
    histograms = [metric.name for metric in METRICS if metric.type is MetricType.HISTOGRAM]
    return names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}


def runnable(expression: str) -> str:
    """As Grafana asks with a source whose interval is 10 s; the page's shortest is 60 s."""
    return expression.replace("$__rate_interval", "40s")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    port = free_port()
    SyntheticPlatform().serve(port)
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"), {"lambda": port})
    server.start()
    wait_until(lambda: server.query("count_over_time(lambda_unit_up[1m]) >= 3"), what="three scrapes")
    yield server
    server.stop()


def test_panels_have_names_units_and_ids_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["name"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["kind"] in grafana_dashboard.SIZES
        units = [panel["unit"]] if panel["kind"] in {"value", "chart"} else []
        units += [query["unit"] for query in panel["queries"] if panel["kind"] == "table"]
        assert set(units) <= set(grafana_dashboard.UNITS) | {"label"}


def test_names_in_an_expression_are_found() -> None:
    expression = 'sum by (peer) (rate(lambda_a_total{x=~"b|c"}[5m])) / on (peer) lambda_d or time() - max(up)'
    assert named_metrics(expression) == {"lambda_a_total", "lambda_d", "up"}


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=lambda value: value.get("id") or value.get("legend"))
def test_panel_names_declared_metrics_alone(panel: dict[str, Any], query: dict[str, Any]) -> None:
    names = named_metrics(query["expression"])
    assert names
    assert names <= declared_names() | FOREIGN


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=lambda value: value.get("id") or value.get("legend"))
def test_expression_runs_and_finds_its_labels(
    prometheus: PrometheusServer, panel: dict[str, Any], query: dict[str, Any]
) -> None:
    series = prometheus.query(runnable(query["expression"]))

    # A list holds what is wrong, and nothing is.
    assert bool(series) == (panel["kind"] != "list")
    wanted = {*re.findall(r"{{(\w+)}}", query.get("legend", "")), *filter(None, [query.get("label"), panel.get("key")])}
    for one in series:
        labels: dict[str, str] = one["metric"]  # type: ignore[assignment]
        assert wanted <= set(labels)
        if panel["kind"] == "value":
            assert len(series) == 1


def test_dashboard_is_made_from_the_panels() -> None:
    assert grafana_dashboard.DASHBOARD.read_text() == grafana_dashboard.text(), (
        "python -m tests.monitoring.grafana_dashboard writes it"
    )


def test_dashboard_asks_what_the_panels_ask() -> None:
    dashboard = json.loads(grafana_dashboard.DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert asked == [query["expression"] for _, query in QUERIES]


def test_dashboard_works_by_import_and_by_provisioning() -> None:
    dashboard = json.loads(grafana_dashboard.DASHBOARD.read_text())
    assert dashboard["id"] is None
    assert dashboard["uid"] == "lambda-platform"
    assert [variable["type"] for variable in dashboard["templating"]["list"]] == ["datasource"]
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    # Only the import dialogue fills in __inputs; provisioning would leave ${DS_...} as it is.
    assert "__inputs" not in dashboard
    boxes = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [(box["x"] + x, box["y"] + y) for box in boxes for x in range(box["w"]) for y in range(box["h"])]
    assert len(cells) == len(set(cells)), "panels lie on each other"
    assert max(x for x, _ in cells) < grafana_dashboard.ROW_COLUMNS


def test_dashboard_is_read_by_the_model_of_grafana() -> None:
    """The model leaves out what it does not know, so what is lost on the way through it was not understood."""
    register_default_plugins()
    written = json.loads(grafana_dashboard.DASHBOARD.read_text())

    read = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))

    assert list(lost(written, read)) == []


def lost(written: object, read: object, path: str = "dashboard") -> Iterator[str]:
    """What is in the first and not, or not the same, in the second."""
    if isinstance(written, dict):
        assert isinstance(read, dict), path
        for key, value in written.items():
            # The model has no null.
            if value is not None:
                yield from lost(value, read[key], f"{path}.{key}") if key in read else [f"{path}.{key}"]
    elif isinstance(written, list):
        assert isinstance(read, list), path
        if len(written) != len(read):
            yield path
        for number, (one, other) in enumerate(zip(written, read, strict=False)):
            yield from lost(one, other, f"{path}[{number}]")
    elif written != read:
        yield path


def test_lost_finds_what_a_model_dropped() -> None:
    written = {"a": 1, "b": [{"c": 2}], "id": None}
    assert list(lost(written, {"a": 1, "b": [{}]})) == ["dashboard.b[0].c"]
    assert list(lost(written, {"a": 2, "b": [{"c": 2}]})) == ["dashboard.a"]


@pytest.mark.parametrize("kind", ["datasources", "dashboards"])
def test_provisioning_files_are_of_the_shape_grafana_reads(kind: str) -> None:
    file = yaml.safe_load((PROVISIONING / kind / "lambda.yml").read_text())

    entries = file["datasources" if kind == "datasources" else "providers"]
    assert file["apiVersion"] == 1
    assert len(entries) == 1
    if kind == "datasources":
        assert entries[0]["type"] == grafana_dashboard.SOURCE["type"]
    else:
        assert Path(entries[0]["options"]["path"]).is_absolute()
