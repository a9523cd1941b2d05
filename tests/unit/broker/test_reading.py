"""How the consumer reads from its socket."""

import socket
from collections.abc import Iterator

import pytest
from kafka.errors import KafkaConnectionError

from lambda_app.broker.reading import Transport


@pytest.fixture
def ends() -> Iterator[tuple[Transport, socket.socket]]:
    """A transport and the socket that it reads from the other end of."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Transport(None, ours), theirs


def test_transport_reads_all_that_waits_in_one_piece(ends: tuple[Transport, socket.socket]) -> None:
    transport, peer = ends
    peer.sendall(b"x" * 100_000)

    assert transport._sock_recv() == (b"x" * 100_000, None)


def test_transport_gives_nothing_while_nothing_waits(ends: tuple[Transport, socket.socket]) -> None:
    transport, _ = ends

    assert transport._sock_recv() == (b"", None)


def test_transport_says_that_the_peer_has_gone(ends: tuple[Transport, socket.socket]) -> None:
    transport, peer = ends
    peer.close()

    data, error = transport._sock_recv()

    assert data == b""
    assert isinstance(error, KafkaConnectionError)


def test_transport_gives_what_came_before_the_peer_went(ends: tuple[Transport, socket.socket]) -> None:
    transport, peer = ends
    peer.sendall(b"last words")
    peer.close()

    assert transport._sock_recv() == (b"last words", None)
    assert isinstance(transport._sock_recv()[1], KafkaConnectionError)
