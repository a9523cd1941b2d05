"""docs/metrics.md, made from the declared metrics: `python -m tests.docs.metric_table` writes it."""

from pathlib import Path

from lambda_app.core.metrics.declared import METRICS
from lambda_app.core.metrics.kinds import Metric

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
START = """\
# Metrics

What the platform's own programs say of themselves, in Prometheus' text format. The table is made from
`lambda_app/core/metrics/declared.py` by `python -m tests.docs.metric_table`. A counter begins at 0 with its program;
labels hold a few known words or numbers, never an id. A histogram `NAME` is read as `NAME_bucket`, `NAME_sum` and
`NAME_count`. Jobs leave theirs (`lambda_run_*`, `lambda_verify_*`, `lambda_recompute_*`) as files in
`/var/lib/lambda/metrics` when they end, and the node exporter shows them; Ansible leaves `lambda_certificate_*` there.

| metric | type | labels | what it says |
|---|---|---|---|
"""


def page() -> str:
    return START + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}." if metric.buckets else ""
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning}{buckets} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
