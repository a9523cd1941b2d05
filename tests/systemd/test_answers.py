"""roles/common/files/lambda-answers, as ExecStartPost= calls it."""

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ANSWERS = Path(__file__).parents[2] / "roles/common/files/lambda-answers"


class Handler(BaseHTTPRequestHandler):
    """Says 503 twice before it is ready, as Prometheus does while it reads its log."""

    refusals = 2

    def do_GET(self) -> None:
        type(self).refusals -= 1
        self.send_response(503 if self.path == "/-/ready" and self.refusals >= 0 else 200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def answers(*arguments: str, main_process: int) -> int:
    environment = os.environ | {"MAINPID": str(main_process)}
    return subprocess.run([ANSWERS, *arguments], env=environment, timeout=30, check=False).returncode


def test_start_is_over_when_the_answer_is_200(address: str) -> None:
    assert answers(address, "/-/ready", main_process=os.getpid()) == 0
    assert Handler.refusals < 0


def test_start_fails_when_the_program_has_ended_without_an_answer() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()

    # Nothing listens on port 1.
    assert answers("127.0.0.1:1", main_process=ended.pid) == 1
