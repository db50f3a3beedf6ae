"""Publishers for benchmarks: a thousand hosts on loopback, in one process of their own, that answer as the path says.

``/feed.xml`` answers 304 whatever is asked, ``/same.xml`` a document that never changes, and ``/news.xml`` one that has
``FRESH`` new entries at each request for that very address, query included, and at that host. Below ``/late/`` stands
the same, and comes ``LATENCY`` seconds later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from functools import cache

from tests.bench import hosts
from tests.builders import NOON

LATENCY = 0.3
#: Entries of a document, and how many of them are new.
ENTRIES, FRESH = 30, 3
#: Publishers.
HOSTS = [f"127.77.{n // 250}.{n % 250 + 1}" for n in range(1000)]
_NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\nServer: bench\r\n\r\n'


@contextmanager
def serving() -> Iterator[int]:
    """Serve all ``HOSTS``, in a process of its own, and give the port."""
    with hosts.serving(HOSTS, _Newsroom) as port:
        yield port


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


class _Newsroom:
    """What there is to be read."""

    def __init__(self, _port: int) -> None:
        #: Requests for news so far, by host and address.
        self._asked: Counter[tuple[str, str]] = Counter()

    def answer(self, host: str, path: str) -> tuple[float, bytes]:
        """Return when a request is answered, and how."""
        return LATENCY if path.startswith("/late/") else 0.0, self._answer(host, path)

    def _answer(self, host: str, path: str) -> bytes:
        if "/feed.xml" in path:
            return _NOT_MODIFIED
        if "/news.xml" not in path:
            return _with(document(0))
        self._asked[host, path] += 1
        return _with(document(self._asked[host, path] - 1))


def _with(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nServer: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
