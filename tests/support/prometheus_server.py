"""Debian's Prometheus on a random loopback port, serving the page, gone with the test process."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.support.processes import REPOSITORY, end_with_parent, free_port, wait_until

PAGE = REPOSITORY / "monitoring/page"
CHART_LIBRARY = REPOSITORY / ".cache/chart-library"


class PrometheusServer:
    """Scrapes `targets` (job -> port on loopback); `rules` is the text of a rule file."""

    def __init__(self, directory: Path, targets: Mapping[str, int], rules: str = "", scrape_seconds: float = 1) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._install_page()
        (directory / "rules.yml").write_text(rules or "groups: []\n")
        interval = f"{int(scrape_seconds * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in targets.items()
            ],
        }
        (directory / "prometheus.yml").write_text(json.dumps(configuration))

    def _install_page(self) -> None:
        """The files as a host has them: the page, and the chart library that the controller fetched."""
        subprocess.run(
            [REPOSITORY / "monitoring/chart-library/download", CHART_LIBRARY], check=True, capture_output=True
        )
        shutil.copytree(PAGE, self.directory / "page")
        shutil.copytree(CHART_LIBRARY, self.directory / "page/chart-library")

    def load(self, samples: Iterable[str]) -> None:
        """Samples of the past, as OpenMetrics text, before the start."""
        text = self.directory / "history.txt"
        with text.open("w") as file:
            file.writelines(samples)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, self.directory / "data"]
        subprocess.run(command, check=True, capture_output=True)
        text.unlink()

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.directory}/prometheus.yml",
                    f"--storage.tsdb.path={self.directory}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    f"--web.user-assets={self.directory}/page",
                ],
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        wait_until(self._answers, what="Prometheus")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def query(self, expression: str) -> Sequence[Mapping[str, object]]:
        """The series of an instant vector; fails the test when Prometheus refuses the expression."""
        parameters = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{parameters}", timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        assert answer["data"]["resultType"] == "vector", expression
        return list(answer["data"]["result"])

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False
