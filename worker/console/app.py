"""What the console answers.

``/healthz`` says that the process lives, ``/readyz`` whether the service does its work (503 with the reasons when it
does not), ``/status`` gives the object of ``wirewatch status --json``. The first two ask nobody for a token, so that a
container's health check needs none, and say nothing that is worth one.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.errors import WirewatchError

#: Names of this machine under which nobody else can have its pages shown (DNS rebinding).
_OURS = ("127.0.0.1", "localhost", "[::1]")
_BEARER = "Bearer "


def make(report: Callable[[], Mapping[str, Any]], *, host: str, token: str) -> Starlette:
    """Return the application.

    Args:
        report: Returns the state of the service, as ``worker.live.report`` does; may raise ``WirewatchError``.
        host: Where the console listens: on loopback it answers only to names of this machine.
        token: What ``/status`` asks for, as ``Authorization: Bearer TOKEN``; empty asks for nothing.
    """

    def alive(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def ready(_: Request) -> Response:
        found = await run_in_threadpool(_guarded, report)
        return JSONResponse({name: found[name] for name in ("ready", "why_not")}, status_code=_code(found))

    async def status(request: Request) -> Response:
        if token and not _knows(request, token):
            return JSONResponse(
                {"error": "a token is needed"}, status_code=401, headers={"WWW-Authenticate": _BEARER.strip()}
            )
        return JSONResponse(await run_in_threadpool(_guarded, report))

    hosts = [*_OURS, f"[{host}]" if ":" in host else host] if _is_loopback(host) else ["*"]
    return Starlette(
        routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/status", status)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )


def _guarded(report: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return report()
    except WirewatchError as error:
        return {"ready": False, "why_not": [str(error)]}


def _code(found: Mapping[str, Any]) -> int:
    return 200 if found["ready"] else 503


def _knows(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    return given.startswith(_BEARER) and hmac.compare_digest(given.removeprefix(_BEARER).encode(), token.encode())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
