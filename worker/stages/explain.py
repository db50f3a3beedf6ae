"""The path of one article through the stages, from what the ledger remembers and what the topics say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.ledger import decided, entries, feeds, outbox, stories
from worker.ledger.engine import Ledger, Transaction
from worker.model import Article, FeedState, Match, Story
from worker.stages.pipeline import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What happened to one entry, and why. Later parts are ``None`` or empty when it did not come so far."""

    #: Columns of the entry's row.
    entry: Mapping[str, Any]
    feed: FeedState | None
    article: Article | None
    answers: Sequence[Match]
    story: Story | None
    #: Decisions a channel, with their alert where there is one.
    decisions: Sequence[Mapping[str, Any]]


def explain(ledger: Ledger, matcher: Matcher, ref: str) -> list[Path]:
    """Return the paths of all entries that ``ref`` names: an address, an article's id, or an alert's key.

    The answers of the topics are worked out anew from the stored article, so that a changed topic can be tried on it.
    """
    with ledger.read() as t:
        alert = outbox.find(t, ref)
        found = entries.find(t, alert.article_id if alert else ref)
        return [_path(t, matcher, dict(row._mapping)) for row in found]  # noqa: SLF001 - SQLAlchemy's public name


def _path(t: Transaction, matcher: Matcher, entry: Mapping[str, Any]) -> Path:
    article_id = entry["article_id"]
    article = entries.get_article(t, article_id) if article_id else None
    story_id = stories.of_article(t, article_id) if article_id else None
    return Path(
        entry=entry,
        feed=feeds.states(t).get(entry["feed_id"]),
        article=article,
        answers=tuple(matcher.judge(article)) if article else (),
        story=stories.get(t, story_id) if story_id else None,
        decisions=decided.of_article(t, article_id) if article_id else (),
    )
