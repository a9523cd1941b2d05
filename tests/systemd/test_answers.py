"""roles/common/files/lambda-answers, as ExecStartPost= calls it."""

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.certificates import make_certificates
from tests.support.http_server import answering
from tests.support.processes import free_port

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


def answers_by_tls(*arguments: str, authority: Path, main_process: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "MAINPID": str(main_process),
        "WEB_OPTIONS": "--web.config.file=web.yml",
        "LAMBDA_AUTHORITIES_FILE": str(authority),
    }
    command = [ANSWERS, *arguments]
    return subprocess.run(command, env=environment, timeout=30, check=False, capture_output=True, text=True)


def test_unit_that_speaks_tls_is_asked_by_it(tmp_path: Path) -> None:
    made, port = make_certificates(tmp_path, "localhost"), free_port()

    with answering("127.0.0.1", port, str, made.together()):
        # As Prometheus has it that listens on all addresses.
        asked = answers_by_tls(f"0.0.0.0:{port}", "/-/ready", authority=made.authority, main_process=os.getpid())

    assert (asked.returncode, asked.stderr) == (0, "")


def test_start_fails_by_name_when_the_certificate_is_refused(tmp_path: Path) -> None:
    made, port = make_certificates(tmp_path, "localhost", days=-1), free_port()

    with answering("127.0.0.1", port, str, made.together()):
        asked = answers_by_tls(f"127.0.0.1:{port}", authority=made.authority, main_process=os.getpid())

    assert asked.returncode == 1
    assert "shows a certificate that this host refuses: certificate has expired" in asked.stderr


def test_start_fails_when_the_program_that_speaks_tls_has_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()

    asked = answers_by_tls("127.0.0.1:1", authority=make_certificates(tmp_path).authority, main_process=ended.pid)

    assert asked.returncode == 1
