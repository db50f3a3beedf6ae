"""Hosts for benchmarks: many addresses on loopback, served by one process of its own, which answers as it is told."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Protocol


class Answers(Protocol):
    """What the hosts answer."""

    def answer(self, host: str, path: str) -> tuple[float, bytes]:
        """Return after how many seconds a request is answered, and the whole answer, its head included."""
        ...


@contextmanager
def serving(hosts: Sequence[str], answers: Callable[[int], Answers]) -> Iterator[int]:
    """Serve all ``hosts`` while the block runs, and give the port.

    All of 127.0.0.0/8 is this machine's own on Linux. ``answers`` is called with the port, in the other process.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    # So that a server that cannot be started is known by the end of its pipe.
    there.close()
    try:
        here.send((hosts, answers))
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def _serve(asker: Connection) -> None:
    async def run() -> None:
        hosts, answers = asker.recv()
        loop = asyncio.get_running_loop()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with socket.socket() as free:
            free.bind((hosts[0], 0))
            port = free.getsockname()[1]
        made = answers(port)
        server = await loop.create_server(lambda: _Speaking(made), hosts, port, backlog=100, reuse_address=True)
        asker.send(port)
        await server.serve_forever()

    asyncio.run(run())


class _Speaking(asyncio.Protocol):
    """Answers one request after the other of a connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            request, _, self._got = self._got.partition(b"\r\n\r\n")
            wait, answer = self._answers.answer(self._host, request.split(b" ", 2)[1].decode())
            if wait:
                asyncio.get_running_loop().call_later(wait, self._transport.write, answer)
            else:
                self._transport.write(answer)
