"""A strict publisher on loopback: it answers byte for byte what a test says and remembers all that it was asked."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Bytes of a request that a publisher reads.
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    #: Method, target and version as they were sent.
    line: str
    #: Names in lower case, values byte for byte as latin-1; a repeated header is an error.
    headers: dict[str, str]
    #: ``time.monotonic`` when it began.
    at: float

    @property
    def path(self) -> str:
        """The target."""
        return self.line.split(" ")[1]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: status, headers as they are sent, and body."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def raw(self) -> bytes:
        """Return the bytes of the answer."""
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers)]
        if self.status != 304 and not any(name.lower() == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + self.body


#: What a publisher does with a request: a reply, or whatever it does to the connection by itself.
Answer = Reply | Callable[[socket.socket, Seen], None]


@dataclass(slots=True)
class Publisher:
    """A host with its answers."""

    host: str
    port: int = 0
    #: By path: the answers one after another; the last is repeated.
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    #: Connections that were accepted, with or without a request.
    connections: int = 0
    #: The most requests that were in hand at once.
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "/feed.xml") -> str:
        """Return the address of a path."""
        return f"http://{self.host}:{self.port}{path}"

    def say(self, path: str, *answers: Answer) -> None:
        """Answer requests for ``path`` with these, in this order; the last is repeated."""
        self.answers[path] = list(answers)

    def asked(self, path: str = "/feed.xml") -> list[Seen]:
        """Return the requests for ``path``, oldest first."""
        return [seen for seen in self.seen if seen.path == path]

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        seen = _request(connection)
        if seen is None:
            return
        with self._lock:
            self.seen.append(seen)
            self._now += 1
            self.most = max(self.most, self._now)
            answers = self.answers.get(seen.path, [Reply(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            if isinstance(answer, Reply):
                connection.sendall(answer.raw())
            else:
                answer(connection, seen)
        except OSError:
            return  # the client has left: that is what some tests are about
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def publisher(host: str = "127.77.0.1") -> Iterator[Publisher]:
    """Run a publisher on a free port of ``host`` until the block ends."""
    running = Publisher(host)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            running._serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256

        def handle_error(self, *args: object) -> None:
            """Say nothing of clients that leave in the middle."""

    with Server((host, 0), Handler) as server:
        running.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join(timeout=10)


def _request(connection: socket.socket) -> Seen | None:
    at = time.monotonic()
    connection.settimeout(10)
    raw = b""
    while b"\r\n\r\n" not in raw and len(raw) < _LONGEST:
        some = connection.recv(4096)
        if not some:
            return None
        raw += some
    line, *lines = raw.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for name, _, value in (header.partition(":") for header in lines):
        assert name.lower() not in headers, f"header {name} was sent twice"
        headers[name.lower()] = value.removeprefix(" ")
    return Seen(line, headers, at)


def strict(reply: Reply) -> Callable[[socket.socket, Seen], None]:
    """Return an answer that is 304 when the request brings the reply's own validators back, byte for byte."""
    own = {name.lower(): value for name, value in reply.headers}
    pairs = (("etag", "if-none-match"), ("last-modified", "if-modified-since"))

    def answer(connection: socket.socket, seen: Seen) -> None:
        wanted = {asked: own[name] for name, asked in pairs if name in own}
        given = {asked: seen.headers[asked] for _, asked in pairs if asked in seen.headers}
        same = bool(wanted) and given == wanted
        connection.sendall((Reply(status=304, headers=reply.headers) if same else reply).raw())

    return answer
