"""A small HTTP/1.1 server on loopback for helpers that are asked thousands of times a minute and share two cores."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

#: Bytes of a request's head and body that are read.
_LONGEST_HEAD, _LONGEST_BODY = 65_536, 1 << 20
#: Seconds that a connection may say nothing.
_IDLE = 75.0
_BINDS = 50
#: Where a server says who it is.
WHO = "/who-is-there"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent, whole."""

    method: str
    path: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes
    #: The address that was asked.
    host: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """Return its bytes."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != HTTPStatus.NOT_MODIFIED:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


#: Returns the answer to a request, or ``None`` to close the connection without one.
Respond = Callable[[Request], Awaitable[Answer | None]]


class Torn(Exception):  # noqa: N818 - named for what it says
    """A request that ended in the middle."""


async def serve(hosts: Sequence[str], respond: Respond, *, torn: Callable[[], None] = lambda: None) -> int:
    """Serve on each of ``hosts``, all on one free port, while the event loop runs; return the port.

    It has asked itself on each of them, so that it is this process that answers there. ``torn`` is told of requests
    that were not sent whole.
    """
    secret = secrets.token_hex(16).encode()

    async def answered(request: Request) -> Answer | None:
        return Answer(body=secret) if request.path == WHO else await respond(request)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            try:
                await _talk(reader, writer, answered)
            except Torn:
                torn()
            finally:
                writer.close()

    sockets = _sockets(hosts)
    for one in sockets:
        await asyncio.start_server(connected, sock=one, limit=_LONGEST_HEAD)
    port: int = sockets[0].getsockname()[1]
    for host in hosts:
        assert await _ask(host, port, WHO) == secret, f"somebody else answers on {host}:{port}"
    return port


def _sockets(hosts: Sequence[str]) -> list[socket.socket]:
    for _ in range(_BINDS):
        sockets: list[socket.socket] = []
        try:
            for host in hosts:
                port = sockets[0].getsockname()[1] if sockets else 0
                sockets.append(socket.create_server((host, port), backlog=1024))
        except OSError:
            for one in sockets:
                one.close()
        else:
            return sockets
    raise AssertionError(f"no port is free on all of {len(hosts)} addresses")


async def _ask(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    raw = await reader.read()
    writer.close()
    return raw.partition(b"\r\n\r\n")[2]


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> None:
    host = writer.get_extra_info("sockname")[0]
    while (request := await _request(reader, host)) is not None:
        answer = await respond(request)
        if answer is None:
            return
        writer.write(answer.raw())
        await writer.drain()
        if request.headers.get("connection", "").lower() == "close":
            return


async def _request(reader: asyncio.StreamReader, host: str) -> Request | None:
    """Return the next request of a connection, ``None`` when there is none."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Torn from error
        return None
    except TimeoutError:
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in lines) if name}
    length = int(headers.get("content-length", "0"))
    assert 0 <= length <= _LONGEST_BODY
    try:
        body = await asyncio.wait_for(reader.readexactly(length), _IDLE)
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
        raise Torn from error
    return Request(method, path, headers, body, host)
