"""What a conditional GET costs against a bare httpx client, on one kept connection and at many slow hosts at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.bench.harness import Figure, Row, compare, milliseconds, ratio, span
from tests.bench.publisher import HOSTS, LATENCY, serving
from tests.builders import NOON
from worker.web.client import LiveWeb
from worker.web.network import Network

_REQUESTS, _THREADS = 300, 64
_HEADERS = {"if-none-match": '"1"', "if-modified-since": "Sun, 22 Nov 2026 08:00:00 GMT"}


def rows(rounds: int) -> Iterable[Row]:
    """Yield the rows of this comparison."""
    with serving() as port, httpx.Client(headers={"user-agent": "bench"}) as bare:
        web = LiveWeb(Network(allow_private=True, allow_ports=(port,)), user_agent="bench")
        try:
            yield _again(web, bare, port, rounds)
            yield from _at_once(web, bare, port, rounds)
        finally:
            web.close()


def _again(web: LiveWeb, bare: httpx.Client, port: int, rounds: int) -> Row:
    url = f"http://{HOSTS[0]}:{port}/feed.xml"
    figures = compare(
        {
            "ours": lambda: _repeat(lambda: _ours(web, url)),
            "bare": lambda: _repeat(lambda: _bare(bare, url)),
        },
        rounds=rounds,
    )
    return _row("304 again and again on one connection, against httpx", figures["ours"], figures["bare"], _REQUESTS)


def _repeat(ask: Callable[[], None]) -> None:
    for _ in range(_REQUESTS):
        ask()


def _at_once(web: LiveWeb, bare: httpx.Client, port: int, rounds: int) -> Iterable[Row]:
    urls = [f"http://{host}:{port}/late/feed.xml" for host in HOSTS]
    walls: list[float] = []

    def at_once(ask: Callable[[str], None]) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(_THREADS) as threads:
            assert len(list(threads.map(ask, urls))) == len(HOSTS)
        return time.perf_counter() - began

    figures = compare(
        {
            "bare": lambda: (at_once(lambda url: _bare(bare, url)), None)[1],
            "ours": lambda: walls.append(at_once(lambda url: _ours(web, url))),
        },
        rounds=rounds,
    )
    what = f"304 of {len(HOSTS)} hosts that take {LATENCY} s, {_THREADS} threads"
    yield _row(f"{what}, against httpx", figures["ours"], figures["bare"], len(HOSTS))
    # Without the round that warms up.
    rates = span(len(HOSTS) / wall for wall in walls[1:])
    yield Row(what=f"{what}, by the wall's clock", value=rates, unit="requests/s", goal=150, wanted="least")


def _row(what: str, ours: Figure, bare: Figure, count: int) -> Row:
    beside = {"ours, ms": milliseconds(ours, count).median, "httpx, ms": milliseconds(bare, count).median}
    return Row(what=what, value=ratio(ours, bare), unit="x", goal=1.3, beside=beside)


def _ours(web: LiveWeb, url: str) -> None:
    assert web.get(url, now=NOON, headers=_HEADERS).status == httpx.codes.NOT_MODIFIED


def _bare(client: httpx.Client, url: str) -> None:
    assert client.get(url, headers=_HEADERS, timeout=30).status_code == httpx.codes.NOT_MODIFIED
