"""Who may ask, from where, and what a browser may do with an answer: layers around every page.

From outside to inside: response headers, the name under which we are asked (Starlette's ``TrustedHostMiddleware``,
against DNS rebinding), addresses that nothing can have, the site that a changing request comes from, and the token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Nothing but our own files; no inline script or style, so that text which got past the templates would still do
#: nothing (https://www.w3.org/TR/CSP3/).
CONTENT: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OUR_SITES: Final = frozenset({"same-origin", "none"})
#: What asks for no token: health checks, the login and what it looks like.
_OPEN: Final = ("/healthz", "/readyz", "/login")
_STATIC: Final = "/static/"
_BEARER: Final = "Bearer "
COOKIE: Final = "wirewatch-session"
#: How long a login holds.
SESSION: Final = timedelta(days=7)
#: Wrong tokens that are looked at in ``_MINUTE``, of all askers together.
TRIES: Final = 10
_MINUTE: Final = timedelta(minutes=1)


class Headed:
    """Adds the headers that every answer has. What is not said to be kept is not stored anywhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, headed if scope["type"] == "http" else send)


class Readable:
    """Refuses addresses with the character 0 in them (400): none of ours has it, and no text in PostgreSQL can."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope["query_string"]):
            refused = PlainTextResponse("refused: an address with the character 0 in it\n", status_code=400)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


class SameSite:
    """Refuses changing requests that another site has had a browser send (403).

    Browsers say where a request comes from (https://www.w3.org/TR/fetch-metadata/); those that do not yet send
    ``Origin``. Who sends neither is no browser that could be misled, and is refused all the same: the command line
    does everything that the pages do.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or scope["method"] in _SAFE or is_ours(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refused = PlainTextResponse("refused: this form was not sent by a page of this console\n", status_code=403)
        await refused(scope, receive, send)


def is_ours(headers: Headers) -> bool:
    """Return whether a changing request comes from our own pages."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _OUR_SITES
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    return origin.scheme in {"http", "https"} and origin.netloc != "" and origin.netloc == headers.get("host")


class Key:
    """A token, as logins are checked by it. Many threads may use it.

    Args:
        token: What is to be known.
        clock: Returns the present time.
    """

    def __init__(self, token: str, clock: Callable[[], datetime]) -> None:
        self._token = token.encode()
        self._clock = clock
        # Whoever gets hold of a cookie learns nothing of the token by it: to guess one costs 50 ms and 16 MB.
        self._seal = hashlib.scrypt(self._token, salt=b"wirewatch console session", n=2**14, r=8, p=1)
        self._failed: deque[datetime] = deque(maxlen=TRIES)

    def wait(self) -> timedelta | None:
        """Return how long no token is looked at, because too many were wrong; ``None`` when one may be shown now."""
        oldest = self._failed[0] if len(self._failed) == TRIES else None
        passed = self._clock() - oldest if oldest else _MINUTE
        # A clock that was set back must not lock anybody out.
        return _MINUTE - passed if timedelta(0) <= passed < _MINUTE else None

    def fits(self, given: str) -> bool:
        """Return whether ``given`` is the token, and count it when it is not; never while there is a ``wait``."""
        if self.wait() is not None:
            return False
        right = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)
        if not right:
            self._failed.append(self._clock())
        return right

    def session(self) -> str:
        """Return the value of the cookie that holds for ``SESSION``: when it ends, and a seal on that."""
        until = f"{(self._clock() + SESSION).timestamp():.0f}"
        return f"{until}.{self._sealed(until)}"

    def holds(self, cookie: str) -> bool:
        """Return whether a cookie is one of ours that has not ended."""
        until, _, seal = cookie.partition(".")
        if not hmac.compare_digest(seal.encode("utf-8", "replace"), self._sealed(until).encode()):
            return False
        return self._clock() < datetime.fromtimestamp(int(until), UTC)

    def _sealed(self, until: str) -> str:
        return hmac.new(self._seal, until.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class Locked:
    """Lets nobody pass without the token: a cookie of the login page, or ``Authorization: Bearer TOKEN``."""

    def __init__(self, app: ASGIApp, key: Key) -> None:
        self._app, self._key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or scope["path"] in _OPEN or scope["path"].startswith(_STATIC):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._key.holds(request.cookies.get(COOKIE, "")):
            scope.setdefault("state", {})["signed_in"] = True
        elif (refused := self._refused(request)) is not None:
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        if given.startswith(_BEARER):
            if self._key.fits(given.removeprefix(_BEARER)):
                return None
            if (wait := self._key.wait()) is not None:
                return too_many(wait)
        return _to_login(request)


def too_many(wait: timedelta) -> Response:
    """Return the answer to a token while none is looked at."""
    seconds = int(wait.total_seconds()) + 1
    return JSONResponse(
        {"error": f"too many wrong tokens; try again in {seconds} s"},
        status_code=429,
        headers={"Retry-After": str(seconds)},
    )


def _to_login(request: Request) -> Response:
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    login = f"/login?next={quote(path, safe='/')}"
    reads = "text/html" in request.headers.get("accept", "")
    if request.headers.get("hx-request") == "true":
        # htmx then leads the whole window there.
        return PlainTextResponse("a token is needed", status_code=401, headers={"HX-Redirect": "/login"})
    if request.method in _SAFE and reads:
        return RedirectResponse(login, status_code=303)
    return JSONResponse({"error": "a token is needed"}, status_code=401, headers={"WWW-Authenticate": _BEARER.strip()})
