"""What a conditional GET costs, against a bare httpx client, and how many a second a slow web lets through."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import httpx

from tests.bench.harness import compare, ratios
from tests.builders import NOON
from worker.web.client import LiveWeb
from worker.web.network import Network

_REQUESTS, _THREADS, _LATENCY = 300, 64, 0.3
#: All of 127.0.0.0/8 is this machine's own on Linux.
HOSTS = [f"127.77.{n // 250}.{n % 250 + 1}" for n in range(1000)]
_HEADERS = {"if-none-match": '"1"', "if-modified-since": "Sun, 22 Nov 2026 08:00:00 GMT"}
_ANSWER = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\nServer: bench\r\n\r\n'


def rows(rounds: int) -> list[dict[str, Any]]:
    """Return the rows of this comparison: one host again and again, and many slow hosts at once."""
    with serving() as port, httpx.Client(headers={"user-agent": "bench"}) as bare:
        web = LiveWeb(Network(allow_private=True, allow_ports=(port,)), user_agent="bench")
        try:
            return [*_again(web, bare, port, rounds), *_at_once(web, bare, port, rounds)]
        finally:
            web.close()


def _again(web: LiveWeb, bare: httpx.Client, port: int, rounds: int) -> Iterator[dict[str, Any]]:
    url = f"http://127.77.0.1:{port}/feed.xml"
    figures = compare(
        {
            "ours": lambda: _repeat(lambda: _ours(web, url)),
            "bare": lambda: _repeat(lambda: _bare(bare, url)),
        },
        rounds=rounds,
    )
    yield _row("304 again and again on one connection", figures, _REQUESTS)


def _repeat(ask: Callable[[], None]) -> None:
    for _ in range(_REQUESTS):
        ask()


def _at_once(web: LiveWeb, bare: httpx.Client, port: int, rounds: int) -> Iterator[dict[str, Any]]:
    urls = [f"http://{host}:{port}/slow.xml" for host in HOSTS]
    walls: list[float] = []

    def at_once(ask: Callable[[str], None]) -> None:
        began = time.perf_counter()
        with ThreadPoolExecutor(_THREADS) as threads:
            assert len(list(threads.map(ask, urls))) == len(HOSTS)
        walls.append(time.perf_counter() - began)

    figures = compare(
        {
            "bare": lambda: at_once(lambda url: _bare(bare, url)),
            "ours": lambda: at_once(lambda url: _ours(web, url)),
        },
        rounds=rounds,
    )
    row = _row(f"304 of {len(HOSTS)} hosts that take {_LATENCY} s, {_THREADS} threads", figures, len(HOSTS))
    yield row | {"per_s": round(len(HOSTS) / min(walls[1::2])), "goal": "<= 1.3 and at least 150 per s"}


def _row(what: str, figures: dict[str, Any], count: int) -> dict[str, Any]:
    least, middle, most = ratios(figures["ours"], figures["bare"])
    return {
        "what": what,
        "ours_ms": round(figures["ours"].median / count * 1000, 3),
        "bare_ms": round(figures["bare"].median / count * 1000, 3),
        "ratio": round(middle, 2),
        "spread": f"{least:.2f}-{most:.2f}",
        "goal": "<= 1.3",
    }


def _ours(web: LiveWeb, url: str) -> None:
    assert web.get(url, now=NOON, headers=_HEADERS).status == httpx.codes.NOT_MODIFIED


def _bare(client: httpx.Client, url: str) -> None:
    assert client.get(url, headers=_HEADERS, timeout=30).status_code == httpx.codes.NOT_MODIFIED


@contextmanager
def serving() -> Iterator[int]:
    """Serve 304 on all ``HOSTS``, in a process of its own, and give the port."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def _serve(port: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with socket.socket() as free:
            free.bind((HOSTS[0], 0))
            number = free.getsockname()[1]
        server = await loop.create_server(_NotModified, HOSTS, number, backlog=100, reuse_address=True)
        port.send(number)
        await server.serve_forever()

    asyncio.run(run())


class _NotModified(asyncio.Protocol):
    """Answers every request with 304, those for /slow.xml late."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            request, _, self._got = self._got.partition(b"\r\n\r\n")
            wait = _LATENCY if b"/slow.xml" in request else 0.0
            asyncio.get_running_loop().call_later(wait, self._transport.write, _ANSWER)
