"""Strict servers on loopback: they answer as they are told and remember what they were asked."""

from __future__ import annotations

import gzip
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Asked:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


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
def serve(host: str = "127.0.0.1", port: int = 0) -> Iterator[Site]:
    """Serve a site on a free port of ``host``, or the one that is given, until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {k.lower(): v for k, v in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            site.asked.append(Asked(self.path, headers, self.command, body))
            answer = site.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Say nothing of clients that leave in the middle: that is what some tests are about."""

    server = Server((host, port), Handler)
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


@dataclass(slots=True)
class Listener:
    """What a server of bare connections was sent."""

    port: int = 0
    #: Connections that were accepted, whether anything was said on them or not.
    connections: int = 0
    #: The raw bytes of every request.
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def listen(
    answer: Callable[[socket.socket], None] = lambda _: None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Listener]:
    """Accept connections until the block ends; ``answer`` is called once for each, when its request has come."""
    server = socket.create_server((host, port))
    server.settimeout(0.01)
    listener = Listener(port=server.getsockname()[1])
    ended = threading.Event()

    def talk(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.settimeout(30)
            request = b""
            while not _is_whole(request) and (part := peer.recv(65_536)):
                request += part
            listener.asked.append(request)
            answer(peer)

    def accept() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                peer, _ = server.accept()
                listener.connections += 1
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener
    finally:
        ended.set()
        thread.join(timeout=10)
        server.close()


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length:\s*([0-9]+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def resets(*parts: bytes) -> Callable[[socket.socket], None]:
    """Return an answer of raw parts after which the connection is reset (TCP's RST), as by a server that dies."""

    def answer(peer: socket.socket) -> None:
        for part in parts:
            peer.sendall(part)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def says(*parts: bytes, pause: float = 0.0, repeat: int = 1) -> Callable[[socket.socket], None]:
    """Return an answer of raw parts, with a pause after each, as a whole ``repeat`` times (the first part once)."""

    def answer(peer: socket.socket) -> None:
        first, *rest = parts
        peer.sendall(first)
        for _ in range(repeat):
            for part in rest:
                peer.sendall(part)
                time.sleep(pause)

    return answer


@dataclass(slots=True)
class Names:
    """A DNS server's port, and the names it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    def look_up(self, host: str, port: int) -> list[str]:
        """Ask this server for the addresses of a host, as a resolver without a cache does (RFC 1035 section 4)."""
        assert port
        question = b"".join(struct.pack("B", len(label)) + label.encode() for label in host.split(".")) + b"\0"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(5)
            asker.sendto(struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", 1, 1), self._place)
            reply = asker.recv(4096)
        count = struct.unpack(">6H", reply[:12])[3]
        records = reply[12 + len(question) + 4 :]
        return [socket.inet_ntoa(records[16 * n + 12 : 16 * n + 16]) for n in range(count)]

    @property
    def _place(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


@contextmanager
def name_server(*answers: list[str]) -> Iterator[Names]:
    """Serve DNS on UDP: the first question gets the first answers, and so on; the last ones stay. The TTL is 0."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.01)
    names = Names(port=server.getsockname()[1])
    ended = threading.Event()

    def reply() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                query, asker = server.recvfrom(4096)
                addresses = answers[min(len(names.asked), len(answers) - 1)]
                names.asked.append(".".join(_labels(query)))
                records = b"".join(
                    struct.pack(">3HIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address) for address in addresses
                )
                header = query[:2] + struct.pack(">5H", 0x8180, 1, len(addresses), 0, 0)
                server.sendto(header + query[12:] + records, asker)

    thread = threading.Thread(target=reply)
    thread.start()
    try:
        yield names
    finally:
        ended.set()
        thread.join(timeout=10)
        server.close()


def _labels(query: bytes) -> Iterator[str]:
    at = 12
    while query[at]:
        yield query[at + 1 : at + 1 + query[at]].decode()
        at += 1 + query[at]
