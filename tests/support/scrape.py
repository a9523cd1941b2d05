"""What Prometheus would see of a program."""

import urllib.request
from collections import defaultdict
from urllib.error import URLError

from prometheus_client.parser import text_string_to_metric_families


def scrape(address: str) -> dict[tuple[str, ...], float]:
    """The samples by name and label values; 0 for what is not there, as long as nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except URLError:
        return defaultdict(float)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
