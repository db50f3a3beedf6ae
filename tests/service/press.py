"""Publishers in a process of their own: feeds on loopback addresses, and the pages of invented articles.

The test says when articles come out. Each is in one feed, which shows all that came out so far.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from html import escape
from typing import Any

from tests.service import web
from tests.service.beside import Beside, attend, given, say, wait_for
from tests.service.invented import article

_ROBOTS = "/robots.txt"
_MOST = 250

#: How many articles a feed shows.
SHOWN = 100


def hosts(count: int) -> list[str]:
    """Return the addresses of ``count`` feeds, one publisher each."""
    return [f"127.77.{1 + number // _MOST}.{1 + number % _MOST}" for number in range(count)]


class Press:
    """The test's side of the publishers."""

    def __init__(self, *, feeds: int, seed: int) -> None:
        self._beside = Beside("tests.service.press", feeds=feeds, seed=seed)
        self._hosts = hosts(feeds)
        self._told = 0
        self.port: int = self._beside.ready["port"]

    @property
    def feeds(self) -> list[str]:
        """The addresses of the feeds."""
        return [f"http://{host}:{self.port}/feed/{number}.xml" for number, host in enumerate(self._hosts)]

    def publish(self, count: int, *, rate: float | None = None) -> list[str]:
        """Let ``count`` more articles come out, at once or ``rate`` a second, and return their addresses at once."""
        self._beside.ask("publish", count=count, rate=rate)
        first, self._told = self._told, self._told + count
        return [self.url(number) for number in range(first, self._told)]

    def url(self, number: int) -> str:
        """Return the address of the article with this number, from 0."""
        return f"http://{self._hosts[number % len(self._hosts)]}:{self.port}/a/{number}"

    def published(self) -> int:
        """Return how many articles have come out."""
        count: int = self._beside.ask("published")
        return count

    def wait(self, *, seconds: float) -> None:
        """Wait until everything has come out that ``publish`` was told of."""
        wait_for(lambda: self.published() == self._told, "publishing", seconds=seconds)

    def publish_page(
        self,
        title: str,
        body: bytes,
        *,
        feed: int = 0,
        kind: str = "text/html; charset=utf-8",
        status: int = 200,
    ) -> str:
        """Let a page come out that is answered byte for byte as given, as an entry of ``feed``; return its address."""
        values = {"title": title, "body": base64.b64encode(body).decode(), "kind": kind, "status": status}
        path = self._beside.ask("page", feed=feed, **values)
        return f"http://{self._hosts[feed]}:{self.port}{path}"

    def asked(self) -> Counter[str]:
        """Return how often each path was asked for; those of feeds count what was not answered with 304."""
        return Counter(self._beside.ask("asked"))

    def close(self) -> None:
        """End the publishers."""
        self._beside.close()


@contextmanager
def press(*, feeds: int = 10, seed: int = 1) -> Iterator[Press]:
    """Run publishers until the block ends."""
    running = Press(feeds=feeds, seed=seed)
    try:
        yield running
    finally:
        running.close()


@dataclass(slots=True)
class _Feed:
    """What a feed shows, newest last."""

    items: list[str] = field(default_factory=list)
    #: The document of so many items.
    made: tuple[int, bytes] = (-1, b"")

    def document(self) -> bytes:
        if self.made[0] != len(self.items):
            # Newest first, as feeds have it, and not all that ever was.
            items = "".join(reversed(self.items[-SHOWN:]))
            text = f'<rss version="2.0"><channel><title>Press</title>{items}</channel></rss>'
            self.made = (len(self.items), text.encode())
        return self.made[1]


class _Publishers:
    """What the publishers have and answer."""

    def __init__(self, seed: int, names: Sequence[str]) -> None:
        self._seed, self._hosts = seed, names
        self._feeds = [_Feed() for _ in names]
        self._pages: dict[str, web.Answer] = {}
        self._asked: Counter[str] = Counter()
        self._published = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def answer(self, request: web.Request) -> web.Answer:
        """Return what is at a path."""
        if request.path.startswith("/feed/"):
            return self._feed(request)
        if request.path != _ROBOTS:
            self._asked[request.path] += 1
        return self._page(request.path)

    def publish(self, count: int, rate: float | None) -> None:
        """Let articles come out."""
        if rate is None:
            for _ in range(count):
                self._next()
            return
        task = asyncio.get_running_loop().create_task(self._drip(count, rate))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def published(self) -> int:
        """Return how many articles have come out."""
        return self._published

    def page(self, *, feed: int, title: str, body: str, kind: str, status: int) -> str:
        """Let a page come out; return its path."""
        path = f"/extra/{len(self._pages)}"
        self._pages[path] = web.Answer(status, base64.b64decode(body), {"Content-Type": kind})
        self._show(feed, path, title)
        return path

    def asked(self) -> dict[str, int]:
        """Return how often each path was asked for."""
        return dict(self._asked)

    async def _drip(self, count: int, rate: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            self._next()

    def _next(self) -> None:
        number = self._published
        self._show(number % len(self._feeds), f"/a/{number}", article(self._seed, number).title)
        self._published += 1

    def _show(self, feed: int, path: str, title: str) -> None:
        link = f"http://{self._hosts[feed]}:{self.port}{path}"
        self._feeds[feed].items.append(
            f"<item><guid>{link}</guid><link>{link}</link><title>{escape(title)}</title>"
            f"<pubDate>{formatdate(usegmt=True)}</pubDate></item>"
        )

    def _feed(self, request: web.Request) -> web.Answer:
        feed = self._feeds[int(request.path.removeprefix("/feed/").removesuffix(".xml"))]
        etag = f'"{len(feed.items)}"'
        if request.headers.get("if-none-match") == etag:
            return web.Answer(304, headers={"ETag": etag})
        self._asked[request.path] += 1
        return web.Answer(body=feed.document(), headers={"ETag": etag, "Content-Type": "application/rss+xml"})

    def _page(self, path: str) -> web.Answer:
        if path in self._pages:
            return self._pages[path]
        number = path.removeprefix("/a/")
        if number == path or not number.isdecimal() or int(number) >= self._published:
            return web.Answer(404)
        page = article(self._seed, int(number)).page()
        return web.Answer(body=page, headers={"Content-Type": "text/html; charset=utf-8"})


async def _main(values: dict[str, Any]) -> None:
    names = hosts(values["feeds"])
    publishers = _Publishers(values["seed"], names)
    publishers.port = await web.serve(names, publishers.answer)
    say({"port": publishers.port})
    await attend(
        {
            "publish": publishers.publish,
            "published": publishers.published,
            "page": publishers.page,
            "asked": publishers.asked,
        }
    )


if __name__ == "__main__":
    asyncio.run(_main(given()))
