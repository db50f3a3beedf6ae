"""Connections: a client that connects only where it may, and bodies that end in time."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpcore
import httpx

from worker.errors import Retryable, Unusable
from worker.web.addresses import resolve
from worker.web.network import Network

#: A host as it stands in a request (lower case, IDNA), and a port.
Place = tuple[str, int]


def checked_client(
    network: Network, *, headers: Mapping[str, str], timeout: httpx.Timeout, own: frozenset[Place] = frozenset()
) -> httpx.Client:
    """Return a client that follows no redirects and ignores the environment, proxies included.

    Every connection is made by the rules of ``network``, except to the places in ``own``: those the operator has named
    as services of their own, and they may be anywhere.
    """
    transport = httpx.HTTPTransport(verify=ssl.create_default_context(), trust_env=False, retries=0)
    # httpx has no public way to check the address that a connection is made to; a test fails when this one goes.
    transport._pool._network_backend = _CheckedBackend(network, own)  # noqa: SLF001
    return httpx.Client(
        transport=transport, follow_redirects=False, trust_env=False, timeout=timeout, headers=dict(headers)
    )


def in_time(chunks: Iterable[bytes], *, until: float, late: str) -> Iterator[bytes]:
    """Yield ``chunks`` as long as ``time.monotonic`` has not passed ``until``.

    Raises:
        Retryable: it has; ``late`` is the message.
    """
    # httpx's read timeout starts anew with every chunk (encode/httpx#1450): a byte a second would last for ever.
    for chunk in chunks:
        if time.monotonic() > until:
            raise Retryable(late)
        yield chunk


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves and checks a host, then connects to the very address that was checked."""

    def __init__(self, network: Network, own: frozenset[Place]) -> None:
        self._network = network
        self._own = own
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,  # noqa: ANN401 - httpcore's own type is private
    ) -> httpcore.NetworkStream:
        address = host if (host, port) in self._own else resolve(host, port, self._network)
        return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:  # noqa: ANN401, ARG002
        raise Unusable("sockets of this machine are never asked")
