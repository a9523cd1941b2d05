"""Grafana's dashboard, made from the panels of the page: `python -m tests.monitoring.grafana_dashboard` writes it."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

MONITORING = Path(__file__).parents[2] / "monitoring"
PANELS = MONITORING / "page/panels.json"
DASHBOARD = MONITORING / "grafana/dashboards/lambda.json"

# Import and provisioning both leave a variable alone, and the user picks a source; a fixed uid would have to exist.
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# By the unit of a panel, what Grafana calls it.
UNITS = {
    "per_second": "cps",
    "per_minute": "cpm",
    "count": "short",
    "seconds": "s",
    "share": "percentunit",
    "bytes": "bytes",
    "truth": "bool_yes_no",
}
# Width and height of a kind of panel; 24 columns are a row.
SIZES = {"list": (6, 5), "value": (4, 3), "table": (24, 9), "chart": (12, 8)}
ROW_COLUMNS = 24


def dashboard() -> dict[str, object]:
    listed = json.loads(PANELS.read_text(encoding="utf-8"))
    return {
        "id": None,
        "uid": "lambda-platform",
        "title": listed["title"],
        "description": "Made from monitoring/page/panels.json, as is the page at /user/ of Prometheus.",
        "tags": ["lambda"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "templating": {"list": [_variable()]},
        "panels": list(_placed(listed["panels"])),
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


def _variable() -> dict[str, object]:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _placed(panels: list[dict[str, Any]]) -> Iterator[dict[str, object]]:
    """From left to right, a new row where the next does not fit."""
    numbers = count(1)
    x = y = tallest = 0
    for panel in panels:
        width, height = SIZES[panel["kind"]]
        if x + width > ROW_COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield {
            "id": next(numbers),
            "title": panel["name"],
            "description": panel.get("note", ""),
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "targets": [_target(panel, query, number) for number, query in enumerate(panel["queries"])],
            **_KINDS[panel["kind"]](panel),
        }
        x, tallest = x + width, max(tallest, height)


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _target(panel: Mapping[str, Any], query: Mapping[str, Any], number: int) -> dict[str, object]:
    over_time = panel["kind"] == "chart"
    return {
        "refId": _letter(number),
        "datasource": SOURCE,
        "expr": query["expression"],
        "legendFormat": query.get("legend", ""),
        "editorMode": "code",
        "instant": not over_time,
        "range": over_time,
        "format": "table" if panel["kind"] in {"list", "table"} else "time_series",
    }


def _chart(panel: Mapping[str, Any]) -> dict[str, object]:
    # A share is seen against the whole of its limit.
    limit = {"max": 1} if panel["unit"] == "share" else {}
    custom = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 0, "showPoints": "never", "spanNulls": False}
    return {
        "type": "timeseries",
        "fieldConfig": {
            "defaults": {"unit": UNITS[panel["unit"]], "min": 0, **limit, "custom": custom},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _value(panel: Mapping[str, Any]) -> dict[str, object]:
    return {
        "type": "stat",
        "fieldConfig": {"defaults": {"unit": UNITS[panel["unit"]], "noValue": "-"}, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "none",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value",
        },
    }


def _list(panel: Mapping[str, Any]) -> dict[str, object]:
    return {
        **_table_of([]),
        "fieldConfig": {"defaults": {"noValue": "none"}, "overrides": []},
        "transformations": [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}],
    }


def _table(panel: Mapping[str, Any]) -> dict[str, object]:
    """The queries side by side, joined by the panel's key. Grafana numbers the columns that all of them have."""
    queries = panel["queries"]
    hidden = {f"Time {number}": True for number in range(1, len(queries) + 1)}
    renamed = {}
    for number, query in enumerate(queries):
        column = f"Value #{_letter(number)}"
        if "label" in query:
            hidden[column] = True
            renamed[query["label"]] = query["legend"]
        else:
            renamed[column] = query["legend"]
    return {
        **_table_of([query for query in queries if "label" not in query]),
        "transformations": [
            {"id": "joinByField", "options": {"byField": panel["key"], "mode": "outer"}},
            {"id": "organize", "options": {"excludeByName": hidden, "renameByName": renamed}},
        ],
    }


def _table_of(columns: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "type": "table",
        "fieldConfig": {
            "defaults": {"noValue": "-"},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": column["legend"]},
                    "properties": [{"id": "unit", "value": UNITS[column["unit"]]}],
                }
                for column in columns
            ],
        },
        "options": {"showHeader": True, "cellHeight": "sm"},
    }


_KINDS = {"chart": _chart, "list": _list, "table": _table, "value": _value}

if __name__ == "__main__":
    DASHBOARD.write_text(text(), encoding="utf-8")
