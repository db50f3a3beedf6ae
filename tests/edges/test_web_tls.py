"""The live web over TLS, against a real server on loopback with a certificate of the test's own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from tests.builders import NOON
from worker.errors import Retryable
from worker.web import connections
from worker.web.client import LiveWeb
from worker.web.network import Network

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.77.0.1"])]

HOST = "127.77.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections and handle each in a thread; give the port."""
    with socket.create_server((HOST, 0), backlog=64) as server:
        ended = threading.Event()
        server.settimeout(0.05)

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=guarded, args=(connection,), daemon=True).start()

        def guarded(connection: socket.socket) -> None:
            connection.settimeout(10)
            try:
                with connection:
                    handle(connection)
            except OSError:
                return  # the client has left, which is what some tests are about

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join(timeout=10)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Give an authority that nobody trusts unless told to."""
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[int]:
    """Give the port of a server with a certificate for its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as stream:
            assert stream.selected_alpn_protocol() in {"http/1.1", None}
            stream.recv(65_536)
            stream.sendall(ANSWER)

    with serving(handle) as port:
        yield port


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this machine trust the authority, as a company's machines trust the company's."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    connections.tls.cache_clear()
    yield
    connections.tls.cache_clear()


def web(port: int, seconds: float = 10) -> LiveWeb:
    """Return a web that may ask the server."""
    network = Network(
        allow_private=("127.77.0.0/16",),
        allow_ports=(port,),
        deadline=timedelta(seconds=seconds),
        per_host_gap=timedelta(0),
    )
    return LiveWeb(network, user_agent="wirewatch/test (+https://wire.example)")


def test_a_certificate_of_a_trusted_authority_is_accepted(secure: int, trusting: None) -> None:  # noqa: ARG001
    """Also by many threads at once, which share one context."""
    asking = web(secure)
    try:
        with ThreadPoolExecutor(16) as threads:
            url = f"https://{HOST}:{secure}/"
            bodies = list(threads.map(lambda _: asking.get(url, now=NOON, headers={}).body, range(64)))
    finally:
        asking.close()
    assert bodies == [b"hello"] * 64


def test_a_certificate_of_nobody_knows_whom_is_refused(secure: int) -> None:
    """The message says that it is the certificate."""
    connections.tls.cache_clear()
    asking = web(secure)
    try:
        with pytest.raises(Retryable, match=r"(?i)certificate"):
            asking.get(f"https://{HOST}:{secure}/", now=NOON, headers={})
    finally:
        asking.close()


def test_a_handshake_that_never_ends_ends_with_the_request() -> None:
    """A server that listens and says nothing holds a thread no longer than the deadline."""

    def silent(connection: socket.socket) -> None:
        while connection.recv(65_536):
            continue

    with serving(silent) as port:
        asking = web(port, seconds=0.5)
        try:
            with pytest.raises(Retryable) as error:
                asking.get(f"https://{HOST}:{port}/", now=NOON, headers={})
        finally:
            asking.close()
    assert error.value.name == "timed-out"
