"""What a scrape sees of samples, over HTTP and in a file."""

import http.client
import socket
import ssl
import urllib.request
from pathlib import Path

import pytest

from lambda_app.core.metrics.kinds import Histogram, Metric, MetricType
from lambda_app.errors import InvalidConfiguration
from lambda_app.host import exposition
from tests.support.certificates import make_certificates

LAG = Metric("lambda_lag_records", MetricType.GAUGE, "What waits.", ("partition",))
ROWS = Metric("lambda_rows_total", MetricType.COUNTER, "What is stored.")
AGE = Metric("lambda_age_seconds", MetricType.HISTOGRAM, "How old.", buckets=(0.5, 1.0))
TEXT = """\
# HELP lambda_lag_records What waits.
# TYPE lambda_lag_records gauge
lambda_lag_records{partition="0"} 5.0
lambda_lag_records{partition="1"} 0.0
# HELP lambda_rows_total What is stored.
# TYPE lambda_rows_total counter
lambda_rows_total 7.0
# HELP lambda_age_seconds How old.
# TYPE lambda_age_seconds histogram
lambda_age_seconds_bucket{le="0.5"} 1.0
lambda_age_seconds_bucket{le="1.0"} 1.0
lambda_age_seconds_bucket{le="+Inf"} 2.0
lambda_age_seconds_count 2.0
lambda_age_seconds_sum 3.25
"""
SAMPLES = [
    LAG.sample(5, "0"),
    ROWS.sample(7),
    LAG.sample(0, "1"),
    AGE.sample(Histogram((0.5, 1.0), [1, 0, 1], 3.25)),
]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_text_holds_each_metric_once_with_all_its_samples() -> None:
    assert exposition.text(SAMPLES) == TEXT


def test_scrape_asks_for_the_samples_each_time() -> None:
    address, rows = f"127.0.0.1:{free_port()}", iter([1, 2])
    exposition.serve(address, lambda: [ROWS.sample(next(rows))])

    seen = [urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode() for _ in range(2)]

    assert [text.splitlines()[-1] for text in seen] == ["lambda_rows_total 1.0", "lambda_rows_total 2.0"]


def test_scrape_is_by_tls_where_there_is_a_certificate_and_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, port = make_certificates(tmp_path), free_port()
    made.together()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    exposition.serve(f"127.0.0.1:{port}", lambda: [ROWS.sample(1)])
    context = ssl.create_default_context(cafile=made.authority)

    # The first says nothing, the second speaks in clear.
    with (
        socket.create_connection(("127.0.0.1", port)),
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5)
    with (
        socket.create_connection(("127.0.0.1", port)),
        urllib.request.urlopen(f"https://127.0.0.1:{port}/metrics", timeout=5, context=context) as answer,
    ):
        text = answer.read().decode()

    assert text.splitlines()[-1] == "lambda_rows_total 1.0"


@pytest.mark.parametrize("address", ["", "9611", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(InvalidConfiguration, match="HOST:PORT"):
        exposition.serve(address, list)


def test_address_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InvalidConfiguration, match=address):
            exposition.serve(address, list)


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "verify.prom"
    path.write_text("old", encoding="utf-8")

    exposition.write(path, SAMPLES)

    assert path.read_text(encoding="utf-8") == TEXT
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_read_again():
    seen = exposition.parse(exposition.text(SAMPLES).encode())

    assert (seen.value("lambda_lag_records", partition="0"), seen.value("lambda_rows_total")) == (5.0, 7.0)
    assert seen.value("lambda_age_seconds_bucket", le="1.0") == 1.0


def test_numbers_that_are_none_are_left_out():
    seen = exposition.parse(b"a NaN\nb +Inf\nc 1\n")

    assert [sample.name for sample in seen.samples] == ["c"]


@pytest.mark.parametrize("body", [b"<html>{{{", b"\xff 1"])
def test_what_is_no_scrape_is_refused(body):
    with pytest.raises(ValueError):
        exposition.parse(body)
