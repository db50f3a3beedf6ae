"""Where an article goes: the story that it joins or opens."""

from __future__ import annotations

from datetime import datetime

from worker.ledger import stories
from worker.ledger.engine import Transaction
from worker.model import Article, Role, Story
from worker.stages.pipeline import Pipeline
from worker.stories import joining
from worker.stories.features import features


def place(t: Transaction, p: Pipeline, article: Article, *, now: datetime) -> tuple[Story, Role]:
    """Return the article's story and what the article is to it; one that was edited stays where it is."""
    stories.take_turn(t)
    of = stories.of_article(t, article.id)
    if of is not None and (story := stories.get(t, of)) is not None:
        role = next(m.role for m in story.members if m.article_id == article.id)
        # Whoever was first with something else is one more report of this.
        return story, Role.REPORT if role is Role.FIRST else role
    near = stories.active(t, since=article.published_at - joining.HORIZON, until=article.published_at + joining.WINDOW)
    joined = joining.join(article, features(article, rarity=p.rarity), near)
    stories.save(t, joined.story, new=joined.member, now=now)
    return joined.story, joined.role
