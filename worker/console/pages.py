"""How a page is made. Everything that a page module needs is here.

A page module has views, which answer GET and change nothing, actions, which answer POST, and its list of routes::

    from worker.console.pages import Form, desk, get, missing, page, post, tell

    def letters(request: Request) -> Response:
        with desk(request).read() as t:
            found = dead.letters(t)
        return page(request, "dead.html", title="Dead letters", letters=found)

    def redrive(request: Request, form: Form) -> Response:
        with desk(request).write() as t:
            ...
        return tell(request, "/dead", "Letter 7 is given back.")

    ROUTES = (get("/dead", letters), post("/dead/{id:int}/redrive", redrive))

- Views and actions are plain functions; they run in a thread, so they may wait for the ledger. The list goes into
  ``worker.console.routes``.
- ``desk(request)`` is the ``Desk``: ``read()``, ``write()``, ``now()``, ``settings()``, ``report()``, ``state``,
  ``recorded``. A ``WirewatchError`` that is let through becomes a page that says it (503), ``missing(...)`` one that
  says that there is no such thing (404).
- ``page(request, template, title=..., **values)`` renders a template of ``templates/``; with ``status_code=422`` for a
  form with mistakes. ``fragment(request, template, **values)`` is the same without the frame, for htmx. ``is_htmx``
  says who asks.
- ``tell(request, path, text, kind="ok")`` sends the browser to ``path`` (303), where ``text`` is shown once; ``kind``
  is ``ok``, ``warn`` or ``bad``.
- ``Form`` is a mapping of field names to texts (the last, where a name comes twice; ``form.all(name)`` gives every
  one). A body may have 1 MiB; ``post(path, action, most=...)`` says otherwise.
- Logins, foreign sites and response headers are taken care of by ``worker.console.security``: a form needs no hidden
  token, and no page may have an inline script, an inline style (also not ``hx-on`` or ``style=``), or anything from
  elsewhere.

A template begins ``{% extends "base.html" %}`` and fills the blocks ``head`` (a css file of one's own: ``<link
rel="stylesheet" href="{{ static('bench.css') }}">``), ``lead`` (beside the heading: buttons, a sentence), ``main``.
``title`` is the heading and the title of the window; ``section`` (default: the first part of the path) is the entry of
the navigation that is marked. Always there: ``now``, ``desk_recorded``, ``request``, ``static(name)``,
``query(name=value)`` for links (empty values are left out). Filters: ``at|when``, ``at|ago(now)``, ``seconds|span``,
``n|counted("article")``, ``n|number``, ``url|link(text)`` (a link for http(s) alone), ``id|segment`` (for paths).
``{% from "macros.html" import badge, field, select, confirm, pager, quote %}`` has the small things:
``badge(word, kind)``, ``field(name, label, value, error, hint, ...)``, ``select(name, label, options, chosen)``,
``quote(q)`` of a ``worker.model.Quote``; see the file.

Classes: ``panel`` (a box with a heading), ``scroll`` (round every table, so that it scrolls inside its own box),
``data`` (a table; ``num`` for cells of figures, ``tight`` for narrow ones), ``facts`` (a dl of name and value),
``badge ok|warn|bad|info|mute``, ``muted``, ``small``, ``mono``, ``row`` (things beside each other), ``stack`` (below
each other), ``filters`` (a form of filters), ``form``, ``field``, ``error`` (beside the field that is wrong), ``hint``,
``button`` (links that look so), ``primary``, ``danger``, ``quiet``, ``empty`` (nothing to show), ``note``.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, cast
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from worker.console.desk import Desk
from worker.console.rendering import environment
from worker.errors import WirewatchError

_FLASH: Final = "wirewatch-said"
#: Characters, each of which may be four bytes: a browser keeps 4,096 bytes of a cookie.
_FLASH_MAX: Final = 600
_MIB: Final = 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 1000
#: The navigation: path, words, and the number of ``Badges`` beside it.
_NAVIGATION: Final = (
    ("/stories", "Stories", ""),
    ("/search", "Search", ""),
    ("/topics", "Topics", ""),
    ("/feeds", "Feeds", ""),
    ("/deliveries", "Deliveries", ""),
    ("/dead", "Dead letters", "dead"),
    ("/silences", "Silences", ""),
    ("/health", "Health", "problems"),
)
#: Paths that belong to the part of the house that another entry of the navigation leads to.
_BELONGS: Final = {"": "stories", "articles": "stories", "workbench": "topics"}

View = Callable[[Request], Response]


class Form(dict[str, str]):
    """The fields of a form that was sent."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def text(self, name: str) -> str:
        """Return a field without blanks at its ends; empty when it was not sent."""
        return self.get(name, "").strip()

    def all(self, name: str) -> list[str]:
        """Return every value that was sent under ``name``."""
        return [value for found, value in self._pairs if found == name]


Action = Callable[[Request, Form], Response]


def desk(request: Request) -> Desk:
    """Return what pages are made from."""
    return cast("Desk", request.app.state.desk)


def get(path: str, view: View) -> Route:
    """Return the route of a view."""
    return Route(path, view, methods=["GET"])


def post(path: str, action: Action, *, most: int = _MIB) -> Route:
    """Return the route of an action, which is given the form; a body of more than ``most`` bytes is refused (413)."""

    async def endpoint(request: Request) -> Response:
        form = await _form(request, most)
        return await run_in_threadpool(action, request, form)

    endpoint.__name__ = getattr(action, "__name__", "action")
    return Route(path, endpoint, methods=["POST"])


async def _form(request: Request, most: int) -> Form:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"at most {most:,} bytes are taken here")
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if kind != _FORM:
        raise HTTPException(415, f"send the form as {_FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise HTTPException(413, f"at most {_FIELDS_MAX} fields are taken") from None
    # Lines end as forms end them, and the character 0 is one that PostgreSQL cannot keep.
    return Form([(name, value.replace("\r\n", "\n").replace("\x00", "\ufffd")) for name, value in pairs])


def is_htmx(request: Request) -> bool:
    """Return whether htmx asks, which wants a fragment; one that has been away (history) wants the page."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def page(
    request: Request,
    template: str,
    *,
    title: str,
    section: str = "",
    status_code: int = 200,
    **values: Any,  # noqa: ANN401 - whatever a template asks for
) -> Response:
    """Return a whole page."""
    frame = _frame(request, section) | {"title": title} | values
    body = environment().get_template(template).render(frame)
    answer = HTMLResponse(body, status_code=status_code)
    if _FLASH in request.cookies:
        answer.delete_cookie(_FLASH, httponly=True, samesite="strict")
    return answer


def fragment(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    **values: Any,  # noqa: ANN401 - the same
) -> Response:
    """Return part of a page, for htmx."""
    try:
        now = desk(request).now()
    except WirewatchError:
        now = None
    body = environment().get_template(template).render({"request": request, "now": now} | values)
    return HTMLResponse(body, status_code=status_code)


def tell(request: Request, path: str, text: str, *, kind: str = "ok") -> Response:
    """Send the browser to ``path``, where it is told ``text`` once."""
    answer = RedirectResponse(path, status_code=303)
    said = json.dumps({"text": text[:_FLASH_MAX], "kind": kind}, ensure_ascii=False).encode("utf-8", "replace")
    secure = request.url.scheme == "https"
    value = urlsafe_b64encode(said).decode()
    answer.set_cookie(_FLASH, value, max_age=60, httponly=True, samesite="strict", secure=secure)
    return answer


def missing(what: str) -> NoReturn:
    """Say that there is no such thing (404), and in ``what`` why not or what to do."""
    raise HTTPException(404, what)


def number_in(request: Request, name: str) -> int | None:
    """Return a number of the query; ``None`` when there is none, or no number that SQL could hold."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - digits of 2**63


def _frame(request: Request, section: str) -> dict[str, Any]:
    """Return what every page is given."""
    at = desk(request)
    badges = at.badges()
    first = request.url.path.split("/")[1]
    chosen = section or _BELONGS.get(first, first)
    try:
        now, recorded = at.now(), at.recorded
    except WirewatchError:
        now, recorded = None, False
    return {
        "request": request,
        "navigation": [
            (path, words, getattr(badges, badge) if badge else 0, path == f"/{chosen}")
            for path, words, badge in _NAVIGATION
        ],
        "said": _said(request),
        "signed_in": getattr(request.state, "signed_in", False),
        "now": now,
        "desk_recorded": recorded,
    }


def _said(request: Request) -> Mapping[str, str] | None:
    """Return what the page is to tell, from the cookie that ``tell`` has set; whoever forges one talks to himself."""
    value = request.cookies.get(_FLASH)
    if not value:
        return None
    try:
        found = json.loads(urlsafe_b64decode(value))
        return {"text": str(found["text"]), "kind": found["kind"] if found["kind"] in {"ok", "warn"} else "bad"}
    except (ValueError, KeyError, TypeError):
        return None
