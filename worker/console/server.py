"""The console's server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

_log = logging.getLogger("wirewatch")
#: What is served.
Application = Starlette
#: Seconds that a server in a thread has to come to its end.
_PATIENCE: Final = 5.0


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
        server.should_exit = True
        thread.join(_PATIENCE)


def _server(app: Starlette, host: str, port: int) -> uvicorn.Server:
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
    return uvicorn.Server(config)
