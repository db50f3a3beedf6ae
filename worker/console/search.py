"""Search over the archive: every article that was read and is still kept, whether it matched a topic or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from worker.console.marks import Span, marked
from worker.console.pages import desk, get, page
from worker.console.rendering import query
from worker.ledger import archive, browse
from worker.ledger.archive import Hit, Unit

#: Characters of a text that are shown on either side of what was found, pieces of it, and how much of it is looked at.
_AROUND: Final = 110
_PIECES: Final = 2
_LOOKED: Final = 200_000
_OFFERED: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An article that was found, as the page shows it."""

    hit: Hit
    title: Markup
    pieces: Sequence[Markup]


def search(request: Request) -> Response:
    """Show the form, and what was found; without words, what was read last."""
    at, params = desk(request), request.query_params
    asked = {name: params.get(name, "").strip() for name in ("q", "outlet", "topic", "since", "until")}
    units = archive.units(asked["q"])
    days, errors = _days(asked["since"], asked["until"])
    with at.read() as t:
        found = archive.search(
            t,
            units,
            outlet=asked["outlet"],
            topic=asked["topic"],
            since=days.get("since"),
            until=days.get("until"),
            after=params.get("after", ""),
        )
        outlets = browse.outlets(t)
    topics = [topic.id for topic in at.settings().topics][:_OFFERED]
    if asked["topic"] and asked["topic"] not in topics:
        topics.append(asked["topic"])
    return page(
        request,
        "search.html",
        title="Search",
        asked=asked,
        errors=errors,
        wordless=bool(asked["q"]) and not any(not unit.excluded for unit in units),
        found=[_found(hit, units) for hit in found.hits],
        following="/search" + query(**asked, after=found.after) if found.after else "",
        first="/search" + query(**asked) if "after" in params else "",
        outlets=outlets[:_OFFERED],
        topics=[("", "Any or none"), *((topic, topic) for topic in topics)],
        status_code=422 if errors else 200,
    )


def _days(since: str, until: str) -> tuple[dict[str, datetime], dict[str, str]]:
    """Return the bounds of days, and what is wrong with what was written for them; both days are within."""
    found: dict[str, datetime] = {}
    errors: dict[str, str] = {}
    for name, text, more in (("since", since, 0), ("until", until, 1)):
        if not text:
            continue
        try:
            found[name] = datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=more)
        except (ValueError, OverflowError):
            errors[name] = "write a day such as 2026-02-11"
    return found, errors


def _found(hit: Hit, units: Sequence[Unit]) -> Found:
    wanted = [_pattern(unit) for unit in units if not unit.excluded]
    article = hit.article
    title = marked(article.title, _places(article.title, wanted)) or Markup("(no title)")
    return Found(hit=hit, title=title, pieces=_pieces(article.text, wanted))


def _pattern(unit: Unit) -> re.Pattern[str]:
    """Return what finds a unit in a text: its words, whatever signs stand between them."""
    words = [re.escape(word) for word in re.findall(r"[^\W_]+", unit.text)]
    end = "" if unit.prefix else r"(?![^\W_])"
    return re.compile(r"(?<![^\W_])" + r"[\W_]+".join(words) + end, re.IGNORECASE)


def _places(text: str, wanted: Sequence[re.Pattern[str]]) -> list[Span]:
    return sorted(found.span() for pattern in wanted for found in pattern.finditer(text))


def _pieces(text: str, wanted: Sequence[re.Pattern[str]]) -> list[Markup]:
    """Return pieces of a text around the first places of what was found; its beginning when there are none."""
    text = text[:_LOOKED]
    places = _places(text, wanted)
    if not places:
        return [_piece(text, 0, 2 * _AROUND, ())] if text else []
    pieces: list[Markup] = []
    end = 0
    for start, stop in places:
        if start < end:
            continue
        if len(pieces) == _PIECES:
            break
        first, end = max(end, start - _AROUND), min(len(text), stop + _AROUND)
        pieces.append(_piece(text, first, end, [place for place in places if first <= place[0] < end]))
    return pieces


def _piece(text: str, start: int, stop: int, places: Sequence[Span]) -> Markup:
    """Return part of a text, cut at blanks."""
    if start and not text[start - 1].isspace() and (blank := text.find(" ", start, start + 20)) >= 0:
        start = blank + 1
    if stop < len(text) and (blank := text.rfind(" ", stop - 20, stop)) > start:
        stop = blank
    before, after = "…" if start else "", "…" if stop < len(text) else ""
    body = marked(text[start:stop], [(a - start, b - start) for a, b in places])
    return escape("").join([before, body, after])


ROUTES = (get("/search", search),)
