"""The recorded web over real HTTP: a server on loopback, and a client that looks for every publisher there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from worker.web.response import Response, Web

ADDRESS: Final = "127.0.0.1"
#: Headers that the server writes by itself.
_OWN: Final = frozenset({"content-length", "connection"})


class Loopback:
    """Asks a server of ``Listener`` for whatever publisher's page or feed, through a real client.

    ``https://wire.example/feed.xml`` is asked for as ``http://127.0.0.1:PORT/https/wire.example/feed.xml``.
    """

    def __init__(self, client: Web, port: int) -> None:
        self._client, self._port = client, port

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,  # noqa: ARG002 - a recording forbids nothing
        allow_private: bool | tuple[str, ...] | None = None,  # noqa: ARG002 - loopback is where it is
    ) -> Response:
        """Return the answer to a GET for ``url``, as if the publisher had given it.

        Raises:
            worker.errors.Retryable: the server did not answer.
        """
        parts = urlsplit(url)
        path = f"/{parts.scheme}/{parts.netloc}{parts.path or '/'}"
        there = urlunsplit(("http", f"{ADDRESS}:{self._port}", path, parts.query, ""))
        response = self._client.get(there, now=now, headers=headers, robots=False, allow_private=True)
        return replace(response, url=url)


class Listener:
    """A free port on loopback, taken before anybody serves there, so that others can be told of it."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((ADDRESS, 0), BaseHTTPRequestHandler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.server_close()

    @contextmanager
    def serving(self, web: Web, *, now: Callable[[], datetime]) -> Iterator[None]:
        """Serve what ``web`` answers at the time that ``now`` gives."""
        self._server.RequestHandlerClass = _handler(web, now)
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()


def _handler(web: Web, now: Callable[[], datetime]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            scheme, _, rest = self.path.lstrip("/").partition("/")
            headers = {name.lower(): value for name, value in self.headers.items()}
            found = web.get(f"{scheme}://{rest}", now=now(), headers=headers)
            self.send_response(found.status)
            for name, value in found.headers.items():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: the stages' own lines tell what was asked."""

    return Handler
