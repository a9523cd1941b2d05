"""Another host's program on a loopback address: one that answers HTTP, and one that accepts and says nothing."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@contextmanager
def answering(
    address: str, port: int, answer: Callable[[str], str | None], certificate: Path | None = None
) -> Iterator[None]:
    """Answers each path with a text, or with 404 for None, at HOST:PORT; by TLS with a file of key and certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = answer(self.path)
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((address, port), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hanging(address: str, port: int) -> Iterator[None]:
    """Takes connections, and answers none."""
    with closing(socket.create_server((address, port))):
        yield
