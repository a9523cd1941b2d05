"""The table of components as the programs read it."""

import json

import pytest

from lambda_app.core.operate.components import Kind, parse_components, triggers
from lambda_app.errors import InvalidConfiguration
from tests.support.components import TABLE

ROW = {"unit": "a.service", "slice": "lambda-data.slice", "group": "batch", "kind": "job", "failure": "nothing counts"}


def test_rows_keep_their_order_and_their_names():
    rows = parse_components(json.dumps({"b": ROW, "a": ROW}))

    assert [row.name for row in rows] == ["b", "a"]


def test_row_has_limits_or_none():
    limited, free = parse_components(json.dumps({"a": ROW | {"cpu_quota": "25%", "memory_max": "1G"}, "b": ROW}))

    assert (limited.cpu_quota, limited.memory_max) == ("25%", "1G")
    assert (free.cpu_quota, free.memory_max) == (None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Input data was truncated"),
        (json.dumps({"a": ROW | {"kind": "daemon"}}), "Invalid enum value 'daemon'"),
        (json.dumps({"a": {"unit": "a.service"}}), "missing required field `kind`"),
        ("[]", "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_table_is_refused(text, reason):
    with pytest.raises(InvalidConfiguration, match=r"^The table of components cannot be read: ") as refused:
        parse_components(text)

    assert reason in str(refused.value)


def test_timers_and_paths_are_triggers_and_other_units_are_none():
    rows = {row.name: row for row in TABLE}

    assert [row.unit for row in triggers(rows["lambda-cron-runner"], TABLE)] == [
        "lambda-cron-runner.timer",
        "lambda-inbox.path",
    ]
    assert triggers(rows["lambda-csv-batch"], TABLE) == ()
    assert {row.kind for row in TABLE} == set(Kind)
