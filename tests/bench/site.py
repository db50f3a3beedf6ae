"""A news site for benchmarks: pages and feeds on loopback, served by a process of its own.

``/p/NAME/N`` is page N. ``/f/NAME.xml`` is a feed that shows ``ENTRIES`` articles and has one new one at each request
for that address, the oldest falling out, so that a poll finds one article. Everything is sent compressed, as sites do.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from functools import partial
from html import escape

from tests.bench import hosts
from tests.bench.pages import Page
from tests.builders import NOON

#: Articles that a feed shows.
ENTRIES = 20
#: Publishers.
HOSTS = tuple(f"127.78.0.{n}" for n in range(1, 41))


@dataclass(frozen=True, slots=True)
class Site:
    """Where the site is served."""

    port: int

    def page(self, number: int, *, name: str) -> str:
        """Return an address of a page; with another ``name`` the same page is another article."""
        return f"http://{HOSTS[number % len(HOSTS)]}:{self.port}/p/{name}/{number}"

    def feeds(self, name: str, count: int) -> list[str]:
        """Return the addresses of ``count`` feeds, at most one a host, that nobody has asked before."""
        assert count <= len(HOSTS)
        return [f"http://{host}:{self.port}/f/{name}-{n}.xml" for n, host in enumerate(HOSTS[:count])]


@contextmanager
def serving(pages: Sequence[Page]) -> Iterator[Site]:
    """Serve ``pages`` at all ``HOSTS`` while the block runs."""
    with hosts.serving(HOSTS, partial(_Newsroom, list(pages))) as port:
        yield Site(port)


class _Newsroom:
    """What there is to be read."""

    def __init__(self, pages: Sequence[Page], port: int) -> None:
        self._port = port
        self._titles = [(escape(page.title), escape(page.summary)) for page in pages]
        self._bodies = [gzip.compress(page.html, 6) for page in pages]
        self._asked: Counter[str] = Counter()

    def answer(self, host: str, path: str) -> tuple[float, bytes]:
        """Return the answer to a request, which is sent at once."""
        return 0.0, self._answer(host, path)

    def _answer(self, host: str, path: str) -> bytes:
        parts = path.split("/")
        if parts[1] == "p":
            return _answer("text/html; charset=utf-8", self._bodies[int(parts[3]) % len(self._bodies)])
        if parts[1] == "f":
            self._asked[path] += 1
            return _answer("application/rss+xml", gzip.compress(self._feed(host, path, self._asked[path]).encode(), 1))
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    def _feed(self, host: str, path: str, time: int) -> str:
        name = path.split("/")[2].removesuffix(".xml")
        start = 13 * int(name.rpartition("-")[2])
        items = "".join(self._item(host, name, start + n) for n in range(time + ENTRIES - 1, time - 1, -1))
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Wire {host}</title>{items}</channel></rss>'

    def _item(self, host: str, name: str, number: int) -> str:
        title, summary = self._titles[number % len(self._titles)]
        url = f"http://{host}:{self._port}/p/{name}/{number}"
        return (
            f'<item><title>{title}</title><link>{url}</link><guid isPermaLink="true">{url}</guid>'
            f"<pubDate>{format_datetime(NOON)}</pubDate><category>World</category>"
            f"<description>&lt;p&gt;{summary}&lt;/p&gt;</description></item>"
        )


def _answer(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
