"""Many are asked at once, and who does not answer holds up nobody."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from lambda_app.errors import BrokerUnavailable
from lambda_app.host.asking import Asked, NoAnswer, get
from tests.support.certificates import make_certificates
from tests.support.http_server import answering, hanging
from tests.support.processes import REPOSITORY, free_port


def test_answers_and_errors_are_given_back_by_name():
    def refuse() -> int:
        raise BrokerUnavailable("away")

    answers = Asked({"a": lambda: 1, "b": refuse}).answers(5)

    assert answers["a"] == 1
    assert isinstance(answers["b"], BrokerUnavailable)


def test_who_takes_too_long_gave_no_answer():
    over = Event()
    start = time.monotonic()

    answers = Asked({"slow": over.wait, "quick": lambda: True}).answers(0.2)
    over.set()

    assert answers["quick"] is True
    assert isinstance(answers["slow"], NoAnswer)
    assert time.monotonic() - start < 2


def test_mistake_of_the_program_is_raised():
    asked = Asked({"a": lambda: 1 // 0})

    with pytest.raises(ZeroDivisionError):
        asked.answers(5)


def test_body_of_an_answer_is_read_past_the_proxy_of_the_environment():
    port = free_port()
    # In a process of its own: the environment is read once.
    code = f"from lambda_app.host.asking import get; print(get('127.0.0.1:{port}', '/metrics', 5).decode())"
    environment = {"http_proxy": "http://127.0.0.1:1", "PYTHONPATH": str(REPOSITORY)}

    with answering("127.0.0.1", port, lambda path: f"you asked {path}"):
        result = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )

    assert result.stdout == "you asked /metrics\n", result.stderr


def test_what_went_wrong_is_said():
    port = free_port()
    endpoint = f"127.0.0.1:{port}"
    with pytest.raises(NoAnswer, match=f"^{endpoint} does not answer: Connection refused$"):
        get(endpoint, "/", 0.2)
    with hanging("127.0.0.1", port), pytest.raises(NoAnswer, match=f"^{endpoint} does not answer within 0.2 s$"):
        get(endpoint, "/", 0.2)
    with answering("127.0.0.1", port, lambda _: None), pytest.raises(NoAnswer, match=f"^{endpoint} answers 404$"):
        get(endpoint, "/", 5)


def test_who_speaks_tls_is_asked_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made, port = make_certificates(tmp_path), free_port()
    monkeypatch.setenv("LAMBDA_AUTHORITIES_FILE", str(made.authority))

    with answering("127.0.0.1", port, lambda path: f"you asked {path}", made.together()):
        assert get(f"https://127.0.0.1:{port}", "/metrics", 5) == b"you asked /metrics"


@pytest.mark.parametrize(
    ("names", "days", "address", "said"),
    [
        ((), -1, "127.0.0.1", "certificate has expired; renew it: run playbooks/operate/certificates.yml"),
        (("elsewhere",), 2, None, "certificates_extra_names"),
    ],
)
def test_certificate_that_is_refused_is_said_with_what_to_do(
    names: tuple[str, ...],
    days: int,
    address: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    made, port = make_certificates(tmp_path, *names, days=days, address=address), free_port()
    monkeypatch.setenv("LAMBDA_AUTHORITIES_FILE", str(made.authority))

    with answering("127.0.0.1", port, str, made.together()), pytest.raises(NoAnswer, match=f"127.0.0.1:{port}.*{said}"):
        get(f"https://127.0.0.1:{port}", "/", 5)


def test_certificate_of_a_strange_authority_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made, port = make_certificates(tmp_path), free_port()
    monkeypatch.setenv("LAMBDA_AUTHORITIES_FILE", str(make_certificates(tmp_path / "other").authority))

    with answering("127.0.0.1", port, str, made.together()), pytest.raises(NoAnswer, match="of another authority"):
        get(f"https://127.0.0.1:{port}", "/", 5)


def test_host_that_knows_no_authority_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAMBDA_AUTHORITIES_FILE", str(tmp_path / "nowhere.pem"))

    with pytest.raises(NoAnswer, match="No such file"):
        get("https://127.0.0.1:1", "/", 5)
