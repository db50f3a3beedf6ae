"""Our own files, as browsers get them: each under an address that changes with it."""

from __future__ import annotations

from functools import cache
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from worker.console.pages import get
from worker.console.rendering import STATIC, static

_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    return {
        path.name: (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(STATIC.iterdir())
        if path.suffix in _TYPES
    }


def asset(request: Request) -> Response:
    """Return a file; one of another version is not there."""
    name = request.path_params["name"]
    found = _files().get(name)
    if found is None or request.url.path != static(name):
        raise HTTPException(404, "no such file")
    content, kind = found
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


ROUTES = (get("/static/{digest}/{name}", asset),)
