"""The module kafka_login against a broker that speaks the server's side of SCRAM-SHA-512 (RFC 5802)."""

import base64
import contextlib
import hashlib
import hmac
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import role_modules
from tests.support.certificates import Certificates, make_certificates

kafka_login = role_modules.load("kafka", "kafka_login")

SALT, ITERATIONS = b"salt of the broker", 4096
HANDSHAKE, AUTHENTICATE = 17, 36
AUTHENTICATION_FAILED, UNSUPPORTED_MECHANISM = 58, 33


class Broker(socketserver.ThreadingTCPServer):
    """Knows the password of each user. The first `refusals` connections it closes without an answer."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, passwords: dict[str, str], refusals: int = 0, mechanism: str = "SCRAM-SHA-512") -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.passwords = passwords
        self.refusals = refusals
        self.mechanism = mechanism


class Session(socketserver.BaseRequestHandler):
    """One connection: a handshake, then the two messages of the client."""

    server: Broker

    def handle(self) -> None:
        if self.server.refusals > 0:
            self.server.refusals -= 1
            return
        mechanism = self.receive(HANDSHAKE)[2:].decode()
        if mechanism != self.server.mechanism:
            self.send(struct.pack(">hi", UNSUPPORTED_MECHANISM, 0))
            return
        self.send(struct.pack(">hi", 0, 0))
        first = self.receive(AUTHENTICATE)[4:].decode().removeprefix("n,,")
        user, nonce = (part.split("=", 1)[1] for part in first.split(","))
        challenge = f"r={nonce}broker,s={base64.b64encode(SALT).decode()},i={ITERATIONS}"
        self.answer(0, challenge)
        final = self.receive(AUTHENTICATE)[4:].decode()
        without_proof, _, proof = final.partition(",p=")
        signed = f"{first},{challenge},{without_proof}".encode()
        password = self.server.passwords.get(user.replace("=2C", ",").replace("=3D", "="))
        is_known = password is not None and stored_key(password) == claimed_key(password, signed, proof)
        self.answer(0 if is_known else AUTHENTICATION_FAILED, "v=")

    def receive(self, api: int) -> bytes:
        """The body of a request, behind the client's name."""
        (length,) = struct.unpack(">i", self.read(4))
        message = self.read(length)
        assert struct.unpack_from(">h", message)[0] == api
        (name_length,) = struct.unpack_from(">h", message, 8)
        return bytes(message[10 + name_length :])

    def read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += self.request.recv(length - len(data))
        return data

    def answer(self, error: int, data: str) -> None:
        self.send(struct.pack(">hhi", error, -1, len(data)) + data.encode())

    def send(self, body: bytes) -> None:
        self.request.sendall(struct.pack(">ii", len(body) + 4, 0) + body)


def stored_key(password: str) -> bytes:
    return hashlib.sha512(client_key(password)).digest()


def client_key(password: str) -> bytes:
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), SALT, ITERATIONS)
    return hmac.digest(salted, b"Client Key", "sha512")


def claimed_key(password: str, signed: bytes, proof: str) -> bytes:
    """The stored key that follows from the client's proof."""
    signature = hmac.digest(stored_key(password), signed, "sha512")
    claimed = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    return hashlib.sha512(claimed).digest()


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[int]:
    """The broker's port."""
    threading.Thread(target=broker.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield broker.server_address[1]
    finally:
        broker.shutdown()
        broker.server_close()


def is_refused(port: int, user: str, password: str, seconds: float = 10, context: ssl.SSLContext | None = None) -> bool:
    return bool(kafka_login.is_refused("127.0.0.1", port, user, password, time.monotonic() + seconds, context))


def speaking_tls(broker: Broker, made: Certificates) -> Broker:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.together())
    broker.socket = context.wrap_socket(broker.socket, server_side=True)
    return broker


@pytest.mark.parametrize(
    ("user", "password", "refused"),
    [
        ("admin", "right password", False),
        ("admin", "wrong password", True),
        ("nobody", "right password", True),
        # RFC 5802 escapes these two in a name.
        ("a,b=c", "of a comma", False),
    ],
)
def test_broker_decides_by_user_and_password(user: str, password: str, refused: bool) -> None:
    with running(Broker({"admin": "right password", "a,b=c": "of a comma"})) as port:
        assert is_refused(port, user, password) is refused


def test_broker_that_is_starting_is_asked_until_it_answers() -> None:
    with running(Broker({"admin": "right password"}, refusals=1)) as port:
        assert is_refused(port, "admin", "right password") is False


def test_broker_that_never_answers_is_an_error_at_the_deadline() -> None:
    with running(Broker({}, refusals=100)) as port, pytest.raises(OSError, match="closed the connection"):
        is_refused(port, "admin", "right password", seconds=0)


def test_broker_without_the_mechanism_is_an_error_and_no_refusal() -> None:
    with running(Broker({}, mechanism="PLAIN")) as port, pytest.raises(OSError, match="does not offer SCRAM-SHA-512"):
        is_refused(port, "admin", "right password", seconds=0)


@pytest.mark.parametrize(("password", "refused"), [("right password", False), ("wrong password", True)])
def test_broker_that_speaks_tls_decides_too(password: str, refused: bool, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=made.authority)

    with running(speaking_tls(Broker({"admin": "right password"}), made)) as port:
        assert is_refused(port, "admin", password, context=context) is refused


def test_certificate_of_another_name_is_an_error_at_once(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "elsewhere", address=None)
    context = ssl.create_default_context(cafile=made.authority)

    with (
        running(speaking_tls(Broker({"admin": "right password"}), made)) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="mismatch"),
    ):
        is_refused(port, "admin", "right password", seconds=60, context=context)
