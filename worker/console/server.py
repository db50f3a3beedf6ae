"""The console's server."""

from __future__ import annotations

import logging

import uvicorn
from starlette.applications import Starlette

_log = logging.getLogger("wirewatch")


def serve(app: Starlette, *, host: str, port: int) -> int:
    """Answer until SIGTERM or SIGINT, and return an exit code: 1 when the address cannot be had."""
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
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit:  # what it does when it cannot listen, having said why
        return 1
    except KeyboardInterrupt:  # it has stopped in order, and sends itself the signal again that told it to
        return 0
    return 0 if server.started else 1
