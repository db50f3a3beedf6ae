"""Publishers for benchmarks: a thousand hosts on loopback, in one process of their own, that answer as the path says.

``/feed.xml`` answers 304 whatever is asked, ``/same.xml`` a document that never changes, and ``/news.xml`` one that has
``FRESH`` new entries at each request for that very address, query included, and at that host. Below ``/late/`` stands
the same, and comes ``LATENCY`` seconds later.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from functools import cache
from multiprocessing.connection import Connection
from typing import ClassVar

from tests.builders import NOON

LATENCY = 0.3
#: Entries of a document, and how many of them are new.
ENTRIES, FRESH = 30, 3
#: All of 127.0.0.0/8 is this machine's own on Linux.
HOSTS = [f"127.77.{n // 250}.{n % 250 + 1}" for n in range(1000)]
_NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\nServer: bench\r\n\r\n'


@contextmanager
def serving() -> Iterator[int]:
    """Serve all ``HOSTS``, in a process of its own, and give the port."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    # So that a server that cannot be started is known by the end of its pipe.
    there.close()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


@cache
def document(version: int) -> bytes:
    """Return the document that ``/news.xml`` answers to the request of this number, from 0 on."""
    newest = version * FRESH + ENTRIES
    items = "".join(_item(number) for number in range(newest - 1, newest - 1 - ENTRIES, -1))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<channel><title>The Wire &amp; Post</title><link>https://wire.example/</link><language>en-gb</language>"
        f"<description>All the news</description><ttl>10</ttl>{items}</channel></rss>"
    ).encode()


def _item(number: int) -> str:
    """Return an item as newsrooms write them: a summary with markup in it, an author, categories, a picture."""
    at = format_datetime(NOON + timedelta(minutes=number))
    return (
        f"<item><title>Minister &#8216;will not yield&#8217; over budget, say {number} members of the committee</title>"
        f"<link>https://wire.example/politics/2026/11/22/minister-{number}?utm_source=rss</link>"
        f'<guid isPermaLink="false">tag:wire.example,2026:{number}</guid><pubDate>{at}</pubDate>'
        f"<dc:creator>A. Reporter</dc:creator><category>Politics</category><category>Budget {number % 7}</category>"
        '<media:content xmlns:media="http://search.yahoo.com/mrss/" url="https://wire.example/p.jpg" width="640"/>'
        f"<description><![CDATA[<p>The minister told the committee for the <b>{number}th</b> time that the plan stands."
        " Members of both parties had asked for a delay, since the figures of the last quarter were revised twice.</p>"
        '<p>&ldquo;We have said what we have to say,&rdquo; she added. <a href="/politics/more">More</a></p>]]>'
        "</description></item>"
    )


def _serve(port: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with socket.socket() as free:
            free.bind((HOSTS[0], 0))
            number = free.getsockname()[1]
        server = await loop.create_server(_Publisher, HOSTS, number, backlog=100, reuse_address=True)
        port.send(number)
        await server.serve_forever()

    asyncio.run(run())


class _Publisher(asyncio.Protocol):
    """Answers one request after the other of a connection."""

    #: Requests for news so far, by host and address.
    asked: ClassVar[Counter[tuple[str, bytes]]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            request, _, self._got = self._got.partition(b"\r\n\r\n")
            path = request.split(b" ", 2)[1]
            wait = LATENCY if path.startswith(b"/late/") else 0.0
            asyncio.get_running_loop().call_later(wait, self._transport.write, self._answer(path))

    def _answer(self, path: bytes) -> bytes:
        if b"/feed.xml" in path:
            return _NOT_MODIFIED
        if b"/news.xml" not in path:
            return _with(document(0))
        key = self._transport.get_extra_info("sockname")[0], path
        self.asked[key] += 1
        return _with(document(self.asked[key] - 1))


def _with(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nServer: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
