"""Signing in and out."""

from __future__ import annotations

import logging
import re
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from worker.console.pages import Form, get, post
from worker.console.rendering import environment
from worker.console.security import COOKIE, SESSION, Key

_log = logging.getLogger("wirewatch")
#: A page of ours: neither another host (``//host``, ``/\host``) nor the login itself.
_OURS: Final = re.compile(r"/(?![/\\])(?!log(in|out)\b)[!-~]*")


def _key(request: Request) -> Key | None:
    return cast("Key | None", request.app.state.key)


def ask(request: Request) -> Response:
    """Ask for the token; where none is needed, go on."""
    goal = _goal(request.query_params.get("next", ""))
    return _asked(goal) if _key(request) else RedirectResponse(goal, status_code=303)


def enter(request: Request, form: Form) -> Response:
    """Sign in whoever knows the token."""
    key, goal = _key(request), _goal(form.text("next"))
    if key is None:
        return RedirectResponse(goal, status_code=303)
    if not key.fits(form.text("token")):
        if (wait := key.wait()) is not None:
            seconds = int(wait.total_seconds()) + 1
            _log.warning("console: too many wrong tokens; none is looked at for %d s", seconds)
            answer = _asked(goal, error=f"Too many wrong tokens. Try again in {seconds} s.", status_code=429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        return _asked(goal, error="This is not the token.", status_code=403)
    answer = RedirectResponse(goal, status_code=303)
    secure = request.url.scheme == "https"
    age = int(SESSION.total_seconds())
    answer.set_cookie(COOKIE, key.session(), max_age=age, httponly=True, samesite="strict", secure=secure)
    return answer


def leave(request: Request, form: Form) -> Response:  # noqa: ARG001 - an action's signature
    """Sign out this browser."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _asked(goal: str, *, error: str = "", status_code: int = 200) -> Response:
    body = environment().get_template("login.html").render(next=goal, error=error)
    return HTMLResponse(body, status_code=status_code)


def _goal(path: str) -> str:
    return path if _OURS.fullmatch(path) else "/stories"


ROUTES = (get("/login", ask), post("/login", enter), post("/logout", leave))
