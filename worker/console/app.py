"""What the console answers.

``/healthz`` says that the process lives, ``/readyz`` whether the service does its work (503 with the reasons when it
does not), ``/status`` gives the object of ``wirewatch status --json``. The first two ask nobody for a token, so that a
container's health check needs none, and say nothing that is worth one. All else is pages: ``worker.console.routes``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.console import assets, login
from worker.console.desk import Desk
from worker.console.exposure import is_loopback
from worker.console.pages import is_htmx, page
from worker.console.routes import ROUTES
from worker.console.security import Headed, Key, Locked, Readable, SameSite
from worker.errors import WirewatchError

_log = logging.getLogger("wirewatch")
#: Names of this machine under which nobody else can have its pages shown (DNS rebinding).
_OURS: Final = ("127.0.0.1", "localhost", "[::1]")
#: Bytes below which compressing costs more than it saves.
_SMALL: Final = 1000
#: Titles of error pages, by status.
_TITLES: Final = {404: "Not found", 503: "Not now"}

#: Returns the body and the content type of ``/metrics``.
Exposition = Callable[[], tuple[bytes, str]]


def make(
    report: Callable[[], Mapping[str, Any]],
    *,
    host: str,
    token: str,
    desk: Desk,
    clock: Callable[[], datetime],
    metrics: Exposition | None = None,
) -> Starlette:
    """Return the application.

    Args:
        report: Returns the state of the service, as ``worker.live.report`` does; may raise ``WirewatchError``.
        host: Where the console listens: on loopback it answers only to names of this machine.
        token: What everything but health asks for: at the login page, or as ``Authorization: Bearer TOKEN``; empty
            asks for nothing.
        desk: What the pages are made from.
        clock: Returns the present time: logins end by it.
        metrics: Makes ``/metrics``; without it there is none.
    """
    hosts = [*_OURS, f"[{host}]" if ":" in host else host] if is_loopback(host) else ["*"]
    key = Key(token, clock) if token else None
    app = Starlette(
        routes=[*_machine_routes(report, metrics), *login.ROUTES, *assets.ROUTES, *ROUTES],
        middleware=[
            Middleware(Headed),
            Middleware(_Mended),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(Readable),
            Middleware(SameSite),
            *([Middleware(Locked, key=key)] if key else []),
            Middleware(GZipMiddleware, minimum_size=_SMALL, compresslevel=5),
        ],
        exception_handlers={HTTPException: _refused, WirewatchError: _unable},
    )
    app.state.desk, app.state.key = desk, key
    return app


def _machine_routes(report: Callable[[], Mapping[str, Any]], metrics: Exposition | None) -> list[Route]:
    """Return the routes that programs ask."""

    def alive(_: Request) -> Response:
        return JSONResponse({"alive": True})

    def ready(_: Request) -> Response:
        found = _guarded(report)
        return JSONResponse(
            {name: found[name] for name in ("ready", "why_not")}, status_code=200 if found["ready"] else 503
        )

    def status(_: Request) -> Response:
        return JSONResponse(_guarded(report))

    async def measured(_: Request) -> Response:
        if metrics is None:
            raise HTTPException(404)
        body, kind = await run_in_threadpool(metrics)
        return Response(body, headers={"Content-Type": kind})

    routes = [Route("/healthz", alive), Route("/readyz", ready), Route("/status", status)]
    return [*routes, Route("/metrics", measured)] if metrics else routes


def _guarded(report: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return report()
    except WirewatchError as error:
        return {"ready": False, "why_not": [str(error)]}


def _refused(request: Request, error: Exception) -> Response:
    """Return the page of a request that cannot be met as it is."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else "There is nothing at this address."
    return _said(request, error.status_code, detail, title=_TITLES.get(error.status_code, phrase))


def _unable(request: Request, error: Exception) -> Response:
    """Return the page that says why a page cannot be made now."""
    return _said(request, 503, str(error), title="Not now")


class _Mended:
    """Answers with a page where a mistake of ours kept another from coming about; the log has the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            request = Request(scope)
            _log.error("console: %s %s failed", request.method, request.url.path, exc_info=error)
            text = "This page has a mistake in it; the log of the console says which."
            answer = await run_in_threadpool(_said, request, 500, text, title="Our mistake")
            await answer(scope, receive, send)


def _said(request: Request, code: int, text: str, *, title: str) -> Response:
    if is_htmx(request):
        return PlainTextResponse(text, status_code=code)
    return page(request, "error.html", title=title, status_code=code, lines=text.splitlines())
