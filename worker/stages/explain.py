"""The path of one article through the stages, from what the ledger remembers and what the topics say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.ledger import decided, entries, feeds, outbox, stories
from worker.ledger.engine import Ledger, Transaction
from worker.model import Article, FeedState, Match, Member, Role, Story
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

    @property
    def member(self) -> Member | None:
        """What the article is to its story."""
        if self.story is None or self.article is None:
            return None
        return next((one for one in self.story.members if one.article_id == self.article.id), None)


def explain(ledger: Ledger, matcher: Matcher, ref: str) -> list[Path]:
    """Return the paths of all entries that ``ref`` names: an address, an article's id, an alert's key, or a story's id.

    Those of a digest are the paths of all that it tells, and those of a story lead to all its articles, also by the id
    that it had before it turned out to be another.

    The answers of the topics are worked out anew from the stored article, so that a changed topic can be tried on it.
    """
    with ledger.read() as t:
        found = [row for name in _names(t, ref) for row in entries.find(t, name)]
        return [_path(t, matcher, dict(row._mapping)) for row in found]  # noqa: SLF001 - SQLAlchemy's public name


def _names(t: Transaction, ref: str) -> list[str]:
    alert = outbox.find(t, ref)
    if alert is not None and alert.role is Role.DIGEST:
        return decided.articles_in(t, alert.key)
    if alert is not None:
        return [alert.article_id] if alert.article_id else []
    story = stories.get(t, ref)
    return [member.article_id for member in story.members] if story else [ref]


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
