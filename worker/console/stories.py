"""Stories as they come, and one of them with its articles, its evidence and what was told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from worker.alerts.quotes import quotes
from worker.console.desk import Desk
from worker.console.marks import marked, passages, spans
from worker.console.pages import desk, get, missing, number_in, page
from worker.console.rendering import query, rendered, segment
from worker.ledger import browse, decided, deliveries, stories
from worker.ledger.browse import Chapter, Headline
from worker.ledger.deliveries import Told
from worker.ledger.engine import Transaction
from worker.ledger.tables import DEAD, DONE, GATHERED, OFF, OPEN, UNKNOWN
from worker.model import Delivery, Match, Quote, Story

#: Words for what became of alerts, with their kinds.
STATES: Final[Mapping[str, tuple[str, str]]] = {
    OPEN: ("waiting", "info"),
    GATHERED: ("waits for a digest", "info"),
    DONE: ("told", "ok"),
    UNKNOWN: ("may have arrived", "bad"),
    DEAD: ("given up", "bad"),
    OFF: ("not told", "mute"),
}
#: The same by the words of ``worker.ledger.deliveries.STATES``.
_SHOWN: Final = {word: STATES[work] for word, work in deliveries.STATES.items()}
_CHOICES: Final = (
    ("", "Every story"),
    ("told", "Told"),
    ("waiting", "Waiting to be told"),
    ("untold", "Not told"),
    ("trouble", "In trouble"),
)
#: Articles of a story on one page, and alerts that it shows.
_CHAPTERS: Final = 25
_ALERTS: Final = 50
#: Outlets and topics that a filter offers.
_OFFERED: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A story in the list."""

    story: Headline
    #: Of its first article, with evidence that stands in it marked.
    title: Markup
    #: Evidence in its text, with the words around it.
    quote: Quote | None
    #: Words and kinds of badges.
    states: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A match of an article with its evidence in its paragraphs."""

    match: Match
    passages: Sequence[Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """An article of a story."""

    chapter: Chapter
    #: With evidence that stands in it marked.
    title: Markup
    answers: Sequence[Answer]
    #: Decisions that no alert on this page shows: why nobody was told.
    decisions: Sequence[Mapping[str, Any]]
    delay: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An alert of a story with its attempts."""

    told: Told
    word: str
    kind: str
    attempts: Sequence[Delivery]


def listed(request: Request) -> Response:
    """List stories, newest first."""
    at = desk(request)
    asked, body, _ = _list(request)
    with at.read() as t:
        outlets = browse.outlets(t)
    topics = [topic.id for topic in at.settings().topics]
    return page(
        request,
        "stories.html",
        title="Stories",
        asked=asked,
        body=body,
        choices=_CHOICES,
        outlets=outlets[:_OFFERED],
        topics=[("", "Every topic"), *((topic, topic) for topic in _offered(topics, asked["topic"]))],
    )


def renewed(request: Request) -> Response:
    """Return the list alone: nothing (204) when it is what the page already shows."""
    asked, body, digest = _list(request)
    if request.query_params.get("seen") == digest:
        return Response(status_code=204)
    answer = HTMLResponse(body)
    if request.headers.get("hx-trigger") == "filters":
        answer.headers["HX-Push-Url"] = "/stories" + query(**asked)
    return answer


def _list(request: Request) -> tuple[dict[str, str], Markup, str]:
    """Return what was asked for, the list as it is to be shown, and its digest."""
    at, params = desk(request), request.query_params
    asked = {name: params.get(name, "").strip() for name in ("topic", "outlet", "state")}
    after = params.get("after", "")
    with at.read() as t:
        found = browse.headlines(t, topic=asked["topic"], outlet=asked["outlet"], state=asked["state"], after=after)
    inner = rendered(
        "lines.html",
        lines=[_line(one) for one in found.stories],
        following="/stories" + query(**asked, after=found.after) if found.after else "",
        first="/stories" + query(**asked) if after else "",
        narrowed=any(asked.values()),
    )
    digest = hashlib.sha256(inner.encode("utf-8", "replace")).hexdigest()[:16]
    # A page further down stays as it is while somebody reads it.
    poll = "" if after else "/stories/list" + query(**asked, seen=digest)
    return asked, rendered("list.html", body=inner, poll=poll), digest


def _line(one: Headline) -> Line:
    evidence = [found for each in one.topics.values() for found in each]
    quote, title = None, Markup("(no title)")
    if article := one.article:
        in_text = [e for e in evidence if e.field == "text"]
        quote = next(iter(quotes(article, in_text[:1])), None)
        title = marked(article.title, spans(article, evidence, "title")) or title
    states = tuple(STATES[work] for work in one.alerts) or (("not told", "mute"),)
    return Line(story=one, title=title, quote=quote, states=states)


def _offered(topics: Sequence[str], chosen: str) -> list[str]:
    """Return topics to choose from, what is chosen always among them."""
    return list(dict.fromkeys([*topics[:_OFFERED], *([chosen] if chosen else [])]))


def one(request: Request) -> Response:
    """Show one story; by the id that it had before it turned out to be another, lead to that."""
    story_id = request.path_params["id"]
    at = desk(request)
    with at.read() as t:
        now = stories.current(t, story_id)
        if now != story_id:
            return RedirectResponse(f"/stories/{segment(now)}", status_code=308)
        found = stories.get(t, story_id)
        if found is None:
            missing(f"There is no story {story_id}: it was never there, or its articles are no longer kept.")
        return _story(request, at, t, found)


def _story(request: Request, at: Desk, t: Transaction, story: Story) -> Response:
    skip = min(number_in(request, "skip") or 0, max(0, len(story.members) - 1))
    # The newest first, as everywhere; the ledger has them the other way round.
    end = len(story.members) - skip
    start = max(0, end - _CHAPTERS)
    chapters = browse.chapters(t, story.id, skip=start, limit=end - start)[::-1]
    alerts = deliveries.told(t, story=story.id, limit=_ALERTS)
    first = browse.chapters(t, story.id, limit=1)
    lead = first[0].article if first else None
    linked = stories.get(t, story.linked) if story.linked else None
    return page(
        request,
        "story.html",
        title=(lead.title if lead else "") or "(no title)",
        section="stories",
        story=story,
        outlets=len({member.outlet for member in story.members}),
        origins=len({member.origin for member in story.members}),
        sections=[_section(t, chapter) for chapter in chapters],
        alerts=[_sent(t, alert) for alert in alerts],
        linked=linked,
        older=f"/stories/{segment(story.id)}" + query(skip=skip + _CHAPTERS) if start else "",
        newest=f"/stories/{segment(story.id)}" if skip else "",
        channels=at.settings().channels,
    )


def _section(t: Transaction, chapter: Chapter) -> Section:
    article = chapter.article
    answers = [
        Answer(match=match, passages=passages(article, match.evidence) if article else ()) for match in chapter.matches
    ]
    evidence = [found for match in chapter.matches for found in match.evidence]
    title = marked(article.title, spans(article, evidence, "title")) if article else Markup()
    read = chapter.seen_at or chapter.read_at
    return Section(
        chapter=chapter,
        title=title or Markup("(no title)"),
        answers=answers,
        decisions=decided.of_article(t, chapter.article_id),
        delay=read - chapter.published_at if read and read > chapter.published_at else None,
    )


def _sent(t: Transaction, told: Told) -> Sent:
    word, kind = _SHOWN[told.state]
    return Sent(told=told, word=word, kind=kind, attempts=deliveries.attempts(t, told.alert.key))


def _home(request: Request) -> Response:  # noqa: ARG001 - a view's signature
    return RedirectResponse("/stories", status_code=307)


ROUTES: tuple[Route, ...] = (
    get("/", _home),
    get("/stories", listed),
    get("/stories/list", renewed),
    get("/stories/{id:path}", one),
)
