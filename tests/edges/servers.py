"""A strict HTTP server on loopback: it answers as it is told and remembers every request."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Asked:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Site:
    """What a server answers, path by path, and what it was asked."""

    port: int = 0
    #: Each writes a whole answer.
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serve() -> Iterator[Site]:
    """Serve a site on a free port of 127.0.0.1 until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}))
            answer = site.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Say nothing of clients that leave in the middle: that is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def plain(body: bytes = b"", *, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer with a body and headers; underscores in header names stand for hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def packed(body: bytes, *, encoding: str = "gzip") -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer whose body is compressed."""
    raw = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return plain(raw, Content_Encoding=encoding)


def dripping(count: int, seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer that sends a byte at a time, each within any read timeout."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(count))
        handler.end_headers()
        try:
            for _ in range(count):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(seconds)
        except OSError:
            return

    return answer
