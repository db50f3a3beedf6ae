"""Templates: how they are found, and what they may use besides what a page gives them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from worker.console.visible import finalize, visible

TEMPLATES: Final = Path(__file__).with_name("templates")
STATIC: Final = Path(__file__).with_name("static")
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: Digits of a file's hash that stand in its address.
_VERSION: Final = 12


@cache
def environment() -> Environment:
    """Return the templates. Every value is escaped, and every text made ``visible``; a name nobody gave is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"static": static, "query": query}
    made.filters |= {
        "when": when,
        "ago": ago,
        "span": span,
        "counted": counted,
        "number": number,
        "link": link,
        "segment": segment,
    }
    return made


def rendered(template: str, **values: object) -> Markup:
    """Return what a template makes of values: part of a page."""
    return Markup(environment().get_template(template).render(values))  # noqa: S704 - the template escapes them


@cache
def static(name: str) -> str:
    """Return the address of a file of ``static/``: it changes with the file, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:_VERSION]
    return f"/static/{digest}/{name}"


def when(at: datetime | None, *, never: str = "never") -> Markup:
    """Return a time in UTC, to the minute, as an element that says it to machines as well; ``never`` for ``None``."""
    if at is None:
        return Markup('<span class="muted">{}</span>').format(never)
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%A %Y-%m-%d %H:%M:%S"), utc.strftime("%Y-%m-%d %H:%M")
    )


def ago(at: datetime | None, now: datetime, *, never: str = "never") -> Markup:
    """Return how long ago ``at`` was, or how long until then, with the time itself as a hint."""
    if at is None:
        return when(None, never=never)
    utc = at.astimezone(UTC)
    said = f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M:%S"), said
    )


def span(value: timedelta | float) -> str:
    """Return a span (or a number of seconds) in its two greatest units: ``3 d 4 h``, ``12 min``, ``40 s``."""
    length = value if isinstance(value, timedelta) else timedelta(seconds=value)
    if length < timedelta(0):
        return f"−{span(-length)}"
    if length >= 2 * _DAY:
        days, rest = divmod(length, _DAY)
        return f"{days} d {rest // _HOUR} h" if rest >= _HOUR and days < 10 else f"{days} d"  # noqa: PLR2004 - days
    if length >= _HOUR:
        hours, rest = divmod(length, _HOUR)
        return f"{hours} h {rest // _MINUTE} min" if rest >= _MINUTE else f"{hours} h"
    if length >= _MINUTE:
        return f"{length // _MINUTE} min"
    return f"{length.total_seconds():.0f} s"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 article``, ``5,000 articles``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def number(value: float) -> str:
    """Return a number with separators between its thousands."""
    return f"{value:,.0f}"


def link(url: str, text: str, *, most: int = 0) -> Markup:
    """Return ``text`` as a link to a page of somebody else; the text alone when ``url`` is no http(s) address.

    With ``most`` the text is cut to so many characters.
    """
    words = visible(text if not most or len(text) <= most else text[: most - 1].rstrip() + "…")
    if not is_page(url):
        return Markup("{}").format(words)
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(visible(url), words)


def is_page(url: str) -> bool:
    """Return whether ``url`` is an http(s) address with a host."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def segment(value: object) -> str:
    """Return ``value`` as one segment of a path: ids are other people's, and may hold ``/`` and ``?``."""
    return quote(str(value), safe="")


def query(**values: object) -> str:
    """Return ``?a=b&c=d`` of the values that are not empty; nothing when all are."""
    chosen = {name: str(value) for name, value in values.items() if value not in {None, ""}}
    return "?" + urlencode(chosen) if chosen else ""
