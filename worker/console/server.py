"""The console's server."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette

_log = logging.getLogger("wirewatch")
#: What is served.
Application = Starlette
#: Seconds that a server in a thread has to come to its end.
_PATIENCE: Final = 5.0
#: Seconds between two turns of a server that nobody asks: as often the time in the header Date changes.
_TURN: Final = 1.0


def serve(app: Starlette, *, host: str, port: int) -> int:
    """Answer until SIGTERM or SIGINT, and return an exit code: 1 when the address cannot be had."""
    server = _server(app, host, port)
    try:
        server.run()
    except SystemExit:  # what it does when it cannot listen, having said why
        return 1
    except KeyboardInterrupt:  # it has stopped in order, and sends itself the signal again that told it to
        return 0
    return 0 if server.started else 1


@contextmanager
def beside(app: Starlette, *, host: str, port: int, failed: Callable[[], object]) -> Iterator[None]:
    """Answer in a thread of its own until the block ends; ``failed`` is called when the address cannot be had."""
    server = _server(app, host, port)

    def run() -> None:
        try:
            server.run()
        except SystemExit:  # the same
            failed()

    thread = threading.Thread(target=run, name="console", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.end()
        thread.join(_PATIENCE)


class _Server(uvicorn.Server):
    """A server that sleeps while nobody asks: the original looks ten times a second whether it is to end.

    Those looks were a tenth of what an idle service takes.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._woken: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def main_loop(self) -> None:
        """Turn until the server is to end."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._woken = loop, event
        # Nought is the turn at which the headers are made.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN):
                    await event.wait()

    def end(self) -> None:
        """End the server; from any thread."""
        self.should_exit = True
        self._wake()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the server, or see it end at once when it is told a second time; a signal handler."""
        super().handle_exit(sig, frame)
        self._wake()

    def _wake(self) -> None:
        if self._woken is not None:
            loop, event = self._woken
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(event.set)


def _server(app: Starlette, host: str, port: int) -> _Server:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        lifespan="off",
    )
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return _Server(config)
