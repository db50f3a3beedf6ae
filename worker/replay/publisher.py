"""A recording as news: a server on which its articles appear one after another, each on its outlet's page and feed.

Unlike ``loopback``, which stands behind a client that knows of it, this is for a service that knows nothing: every
address that feeds and pages name leads to this server. ``https://wire.example/feed.xml`` of the recording is
``URL/wire.example/feed.xml`` here. Articles keep the dates under which they were recorded, so that they tell the same
stories as in a replay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import urlsplit

from worker.errors import ConfigError, Problem
from worker.model import Feed
from worker.replay.recording import Recording
from worker.replay.web import RecordedWeb
from worker.web.response import Response

#: Headers that the server writes by itself, or that speak of the recording's time.
_OWN: Final = frozenset({"content-length", "connection", "cache-control"})
_OK: Final = 200
_LISTED: Final = "text/plain; charset=utf-8"


def moved(recording: Recording, url: str) -> Recording:
    """Return ``recording`` as it would be if all its outlets were folders of the site at ``url``.

    Recorded feed documents and pages are kept byte for byte, and so are the links in them.
    """
    articles = tuple(replace(article, url=address(article.url, url)) for article in recording.articles)
    documents = tuple(replace(one, feed=_moved(one.feed, url)) for one in recording.documents)
    feeds = tuple(_moved(feed, url) for feed in recording.feeds)
    return replace(recording, articles=articles, feeds=feeds, documents=documents)


def address(recorded: str, url: str) -> str:
    """Return where the site at ``url`` has the page that was recorded at another address."""
    parts = urlsplit(recorded)
    query = f"?{parts.query}" if parts.query else ""
    return f"{url.rstrip('/')}/{parts.netloc}{parts.path or '/'}{query}"


def _moved(feed: Feed, url: str) -> Feed:
    return replace(feed, url=address(feed.url, url))


def moment(recording: Recording, passed: timedelta, *, every: timedelta) -> datetime:
    """Return the time in ``recording`` when ``passed`` has gone by here: one more article is out after each ``every``.

    Articles that were published at the same time appear together, in the turn of the first of them.
    """
    times = sorted({article.published_at for article in recording.articles})
    out = min(passed // every, len(times))
    return times[out - 1] if out else recording.start


class Publisher:
    """Serves a recording on ``host`` and ``port`` (0: any that is free). Use it as a context, or call ``serve``.

    Its clock starts when a feed is asked for the first time, so that whoever watches from then on sees the articles
    come; before, every feed is empty. ``/`` lists the feeds and starts nothing.

    Args:
        recording: What is published.
        every: Between one article and the next.
        passed: A clock that never goes back, in seconds.
        url: Where others reach this server; without it, ``http://HOST:PORT``.
        asked: Is told of each request for something that is served: its path and the number of articles that are out.

    Raises:
        ConfigError: the address cannot be had.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        every: timedelta,
        passed: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 0,
        url: str = "",
        asked: Callable[[str, int], object] = lambda _, __: None,
    ) -> None:
        self._server = _listen(host, port, self)
        taken = self._server.server_port
        self.url = (url or f"http://{f'[{host}]' if ':' in host else host}:{taken}").rstrip("/")
        self._recording = moved(recording, self.url)
        self._web = RecordedWeb(
            self._recording.articles, _by_outlet(self._recording), self._recording.documents, start=recording.start
        )
        self._every, self._passed, self._asked = every, passed, asked
        self._began: float | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def feeds(self) -> tuple[str, ...]:
        """The addresses of the feeds."""
        return tuple(feed.url for feed in self._recording.feeds)

    def out(self) -> int:
        """Return how many articles have appeared so far."""
        now = self._now()
        return sum(article.published_at <= now for article in self._recording.articles)

    def answer(self, path: str, headers: Mapping[str, str]) -> Response:
        """Return the answer to a GET for ``path``."""
        url = self.url + path
        if path == "/":
            listed = "".join(f"{feed}\n" for feed in self.feeds).encode()
            return Response(status=_OK, url=url, headers={"content-type": _LISTED}, body=listed)
        if url in self.feeds:
            self._begin()
        found = self._web.get(url, now=self._now(), headers=headers)
        self._asked(path, self.out())
        return found

    def _begin(self) -> None:
        with self._lock:
            if self._began is None:
                self._began = self._passed()

    def _now(self) -> datetime:
        passed = 0.0 if self._began is None else self._passed() - self._began
        return moment(self._recording, timedelta(seconds=passed), every=self._every)

    def serve(self) -> None:
        """Publish in this thread until an exception comes here."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _by_outlet(recording: Recording) -> Mapping[str, Feed]:
    verbatim = {recorded.feed.id for recorded in recording.documents}
    return {feed.outlet: feed for feed in recording.feeds if feed.id not in verbatim}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    publisher: Publisher

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of readers that hang up."""


def _listen(host: str, port: int, publisher: Publisher) -> _Server:
    try:
        server = _Server((host, port), _Handler)
    except OSError as error:
        message = f"{host}:{port} cannot be had: {error.strerror or error}"
        raise ConfigError(Problem(file="--listen", message=message)) from error
    server.publisher = publisher
    return server


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:  # the library's name
        found = self.server.publisher.answer(self.path, {k.lower(): v for k, v in self.headers.items()})
        self.send_response(found.status)
        for name, value in _headers(found):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(found.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Leave the log to the publisher."""


def _headers(found: Response) -> Sequence[tuple[str, str]]:
    kept = [(name, value) for name, value in found.headers.items() if name.lower() not in _OWN]
    # What the recorded web says of freshness counts in the recording's time; here the next article is near.
    return [*kept, ("Cache-Control", "no-cache"), ("Content-Length", str(len(found.body)))]
