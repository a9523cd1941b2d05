"""docs/metrics.md says what the programs say."""

from tests.docs.metric_table import PAGE, page


def test_page_is_made_from_the_declared_metrics() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs.metric_table"
