"""Names follow Prometheus' conventions, and each metric says what it is."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.declared import METRICS
from lambda_app.core.metrics.kinds import Metric, MetricType

REPOSITORY = Path(__file__).parents[4]
PACKAGE = REPOSITORY / "lambda_app"
ROLES = REPOSITORY / "roles"
# Base units and things that are counted.
_UNITS = r"(seconds|bytes|cores|records|messages|rows|files|days|minutes|workers)"


def test_there_are_metrics_and_no_two_of_one_name() -> None:
    assert len(METRICS) > 40
    assert Counter(metric.name for metric in METRICS).most_common(1)[0][1] == 1


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metric_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"lambda(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.type is MetricType.COUNTER)
    assert metric.meaning.endswith(".")
    assert bool(metric.buckets) == (metric.type is MetricType.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    if re.search(r"seconds|bytes", metric.name):
        assert re.search(rf"_{_UNITS}(_total)?$", metric.name)
    if re.search(r"milli|micro|percent|_mb|_kb|_ms", metric.name):
        pytest.fail("not a base unit")


def test_each_metric_is_sampled_by_a_program_or_left_by_a_role() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.glob("**/*.py") if path.name != "declared.py"]
    sampled = set(re.findall(r"declared\.([A-Z_]+)\b", "".join(sources)))
    left = "".join(path.read_text(encoding="utf-8") for path in ROLES.glob("*/templates/*.prom.j2"))

    metrics = {name: value for name, value in vars(declared).items() if isinstance(value, Metric)}
    assert [name for name, metric in metrics.items() if name not in sampled and f"{metric.name}{{" not in left] == []
