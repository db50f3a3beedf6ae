"""Connections: made only where they may be, and over in time whatever the other side does.

Every request has a time at which it ends. It is kept for the thread that makes the request, and every wait of its
connection is cut to what is left: httpx's own timeouts start anew with every byte (encode/httpx#1450), so that a server
with a byte a second could hold a thread for ever, in the headers as in the body.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any

import certifi
import httpcore
import httpx

from worker.errors import Retryable, Unusable
from worker.web.addresses import LookUp, expect_allowed, expect_allowed_name, expect_port, literal, look_up
from worker.web.network import Network

#: A host as it stands in a request (lower case, IDNA), and a port.
Place = tuple[str, int]
#: Of a request: names and values.
Headers = Sequence[tuple[bytes, bytes]]
#: Of a host's addresses, how many are tried.
_TRIES = 3
#: Bytes that one wait may write.
_SLICE = 65_536
_PORTS = {"http": 80, "https": 443}

_thread = threading.local()


class CheckedTransport(httpx.HTTPTransport):
    """A transport that ignores the environment and connects by the rules of ``network``. Threads may share it.

    The places in ``own`` may be anywhere: those the operator has named as services of their own. A request of
    httpx ends after ``total`` seconds. With ``proxy`` every connection is made to that place, which may be anywhere
    too; names are then the proxy's to resolve, and only a host that is an address itself is checked.
    """

    def __init__(
        self,
        network: Network,
        *,
        own: frozenset[Place] = frozenset(),
        resolve: LookUp = look_up,
        total: float | None = None,
        limits: httpx.Limits | None = None,
        proxy: httpx.Proxy | None = None,
    ) -> None:
        super().__init__(
            verify=tls(),
            trust_env=False,
            retries=0,
            limits=limits or httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=5),
            proxy=proxy,
        )
        if proxy is not None:
            own |= {_place(proxy.url)}
        self._network = network
        self._total = total
        self._proxied = proxy is not None
        # httpx has no public way to check the address that a connection is made to; a test fails when this one goes.
        self._pool._network_backend = _CheckedBackend(network, own, resolve)  # noqa: SLF001

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its body, too, is to be read by this thread, before it sends another one."""
        self._begin(request.url, None if self._total is None else time.monotonic() + self._total)
        return super().handle_request(request)

    def ask(
        self, url: httpx.URL, headers: Headers, *, until: float, timeouts: Mapping[str, float]
    ) -> httpcore.Response:
        """Send a GET with these headers and no others; the answer is httpcore's, to be read and closed by this thread.

        For it httpx would make a request, a response, their headers and a stream of its own, which takes an eighth of
        the CPU time of a request on a connection that is open. The errors are httpcore's, too.

        Args:
            url: The address, as httpx reads it.
            headers: Names and values.
            until: The value of ``time.monotonic`` at which the request ends.
            timeouts: Seconds for ``connect``, ``read`` and ``write``.
        """
        self._begin(url, until)
        place = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        request = httpcore.Request("GET", place, headers=headers, content=(), extensions={"timeout": timeouts})
        return self._pool.handle_request(request)

    def _begin(self, url: httpx.URL, until: float | None) -> None:
        _thread.until = until
        if self._proxied:
            host, port = _place(url)
            expect_port(host, port, self._network)
            expect_allowed_name(host, self._network)


def checked_client(
    network: Network, *, headers: Mapping[str, str], timeout: httpx.Timeout, own: frozenset[Place] = frozenset()
) -> httpx.Client:
    """Return a client that follows no redirects and ignores the environment, proxies included.

    Every connection is made by the rules of ``network``, except to the places in ``own``: those the operator has named
    as services of their own, and they may be anywhere. A whole request ends after the read timeout.
    """
    return httpx.Client(
        transport=CheckedTransport(network, own=own, total=timeout.read),
        follow_redirects=False,
        trust_env=False,
        timeout=timeout,
        headers=dict(headers),
    )


def in_time(chunks: Iterable[bytes], *, until: float, late: str) -> Iterator[bytes]:
    """Yield ``chunks`` as long as ``time.monotonic`` has not passed ``until``.

    Raises:
        Retryable: it has; ``late`` is the message.
    """
    for chunk in chunks:
        if time.monotonic() > until:
            raise Retryable(late, name="timed-out")
        yield chunk


@cache
def tls() -> ssl.SSLContext:
    """Return the one TLS context of this process: to make one costs 38 ms."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    # Those of the machine, where a company adds its own, and certifi's, for machines that have none.
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    return context


class _Context(ssl.SSLContext):
    """Takes its application protocols once.

    httpcore sets them, always the same, for every connection; OpenSSL frees the old list, which another thread may be
    reading for a connection of its own.
    """

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        if not hasattr(self, "_protocols"):
            super().set_alpn_protocols(list(alpn_protocols))
            self._protocols = True


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves and checks a host, then connects to the very addresses that were checked."""

    def __init__(self, network: Network, own: frozenset[Place], resolve: LookUp) -> None:
        self._network = network
        self._own = own
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,  # noqa: ANN401 - httpcore's own type is private
    ) -> httpcore.NetworkStream:
        addresses = [host] if (host, port) in self._own else self._checked(host, port)
        for number, address in enumerate(addresses, start=1):
            try:
                plain = self._plain.connect_tcp(
                    address, port, _cut(timeout, httpcore.ConnectTimeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                return _TimedStream(plain)
        raise AssertionError("there is always an address")

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:  # noqa: ANN401, ARG002
        raise Unusable("sockets of this machine are never asked", name="forbidden")

    def _checked(self, host: str, port: int) -> Sequence[str]:
        expect_port(host, port, self._network)
        addresses = [host] if literal(host) else _resolved(self._resolve, host, port)
        expect_allowed(host, addresses, self._network)
        return addresses[:_TRIES]


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every wait ends with the request of its thread."""

    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _cut(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._plain.write(buffer[start : start + _SLICE], _cut(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _cut(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._plain.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own signature
        return self._plain.get_extra_info(info)


def _cut(timeout: float | None, late: Callable[[str], Exception]) -> float | None:
    """Return ``timeout``, in seconds, or what is left of this thread's request if that is less.

    Raises:
        late: nothing is left.
    """
    until: float | None = getattr(_thread, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise late("the time of the request is over")
    return left if timeout is None else min(timeout, left)


def _resolved(resolve: LookUp, host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, within the time of the request.

    Raises:
        Retryable: the name has none now.
        Unusable: it can have none.
    """
    left = _cut(None, httpcore.ConnectTimeout)
    answer: Future[Sequence[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result(resolve(host, port))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is waited for
            answer.set_exception(error)

    # The C library's resolver has no limit of ours and cannot be stopped: it is left alone with the name.
    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        addresses = answer.result(left)
    except TimeoutError as error:
        raise Retryable(f"{host}: the name was not resolved in time", name="dns-failed") from error
    except UnicodeError as error:
        raise Unusable(f"{host}: no name can be written like this", name="dns-failed") from error
    except OSError as error:
        raise Retryable(f"{host}: the name cannot be resolved ({error})", name="dns-failed") from error
    if not addresses:
        raise Retryable(f"{host}: the name has no address", name="dns-failed")
    return addresses


def _place(url: httpx.URL) -> Place:
    port = url.port
    return url.raw_host.decode("ascii"), _PORTS[url.scheme] if port is None else port
