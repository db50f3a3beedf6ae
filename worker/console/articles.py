"""The path of one article through the stages, with its text and every mark in it: ``wirewatch why`` as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from worker.build.meaning import notes
from worker.console.desk import Desk
from worker.console.marks import marked, paragraphs, spans
from worker.console.pages import desk, get, missing, page
from worker.ledger import browse, decided, entries, stories
from worker.model import Article, Match
from worker.topics import compile_topics

#: Characters of a text that are shown.
_SHOWN: Final = 100_000


def one(request: Request) -> Response:
    """Show an article; with ``ask`` in the query, also what each topic in force says of it now."""
    article_id = request.path_params["id"]
    at = desk(request)
    with at.read() as t:
        article = entries.get_article(t, article_id)
        seen = browse.entries_of_article(t, article_id)
        if article is None and not seen:
            missing(f"There is no article {article_id}: it was never there, or is no longer kept.")
        matches = browse.matches(t, [article_id]).get(article_id, ())
        decisions = decided.of_article(t, article_id)
        story_id = stories.of_article(t, article_id)
        story = stories.get(t, story_id) if story_id else None
    asked = "ask" in request.query_params and article is not None
    answers, remarks = _answers(at, article) if asked and article else ((), ())
    evidence = [e for match in matches for e in match.evidence]
    return page(
        request,
        "article.html",
        title=(article.title if article else "") or (seen[0].title if seen else "") or "(no title)",
        headline=marked(article.title, spans(article, evidence, "title")) if article and article.title else "",
        article=article,
        seen=seen,
        matches=matches,
        decisions=decisions,
        story=story,
        member=next((m for m in story.members if m.article_id == article_id), None) if story else None,
        text=paragraphs(article.text[:_SHOWN], spans(article, evidence, "text")) if article else [],
        cut=article is not None and len(article.text) > _SHOWN,
        asked=asked,
        answers=answers,
        remarks=remarks,
    )


def _answers(at: Desk, article: Article) -> tuple[Sequence[Match], Sequence[str]]:
    """Return the answer of every topic in force, matches first and then by score, and what keeps topics from it."""
    settings = at.settings()
    opened = at.bench.meaning(settings.service, settings.topics)
    found = compile_topics(settings.topics, meaning=opened.meaning).judge(article)
    return sorted(found, key=lambda m: (not m.matched, -m.score, m.topic_id)), notes(settings.topics, opened)


ROUTES = (get("/articles/{id:path}", one),)
