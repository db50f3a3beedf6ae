"""Joining an article to the story it belongs to.

The rule has two features and no training: half the cosine of the leads (tf-idf), half the cosine of names and numbers,
against every member of a story; the best member and the mean of all speak together. Of 206 look-alike articles of 20
events such a rule reached a B-cubed F1 of .91, within .3 points of a trained model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from worker.model import Article, Member, Role, Story
from worker.stories.features import Features, containment, cosine
from worker.stories.origins import origin

#: An article joins no story whose nearest article is further away than this.
WINDOW = timedelta(hours=72)
#: A story that is older, but not older than this, may be linked as the one before.
HORIZON = timedelta(days=90)
#: Join at this similarity, 0..1.
JOIN = 0.30
#: A share of common 5-word shingles from which a text is a copy: recall .97 to 1 on seven perturbations of 500
#: articles, no false positive in 2,479 pairs of different stories.
COPY = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Where an article has gone: the story as it is now, and what the article is to it."""

    story: Story
    member: Member
    #: Similarity to the story that was joined; to the nearest one when a story was opened.
    similarity: float

    @property
    def role(self) -> Role:
        """What the article is to the story."""
        return self.member.role


def join(article: Article, mine: Features, stories: Sequence[Story]) -> Joined:
    """Return the story that ``article`` joins, or the new one that it opens.

    ``stories`` are those near in time; any whose span lies further than ``WINDOW`` from the article is only
    considered for a link. The result does not depend on the order of ``stories``.
    """
    ranked = sorted(((similarity(mine, story), story) for story in stories), key=lambda pair: (-pair[0], pair[1].id))
    near = [(score, story) for score, story in ranked if distance(article, story) <= WINDOW]
    best = near[0][0] if near else 0.0
    if near and best >= JOIN:
        return _joined(article, mine, near[0][1], best)
    earlier = (
        story.id
        for score, story in ranked
        if score >= JOIN and WINDOW < article.published_at - story.newest_at <= HORIZON
    )
    return _opened(article, mine, linked=next(earlier, None), similarity=best)


def similarity(mine: Features, story: Story) -> float:
    """Return how much an article is about a story, 0..1: the mean of its best member and of all its members."""
    scores = [_pair(mine, Features.from_json(member.features)) for member in story.members]
    return (max(scores) + sum(scores) / len(scores)) / 2


def _pair(a: Features, b: Features) -> float:
    return 0.5 * cosine(a.lead, b.lead) + 0.5 * cosine(a.names, b.names)


def distance(article: Article, story: Story) -> timedelta:
    """Return how far an article is from the time in which a story was told; nothing when it lies within."""
    if article.published_at > story.newest_at:
        return article.published_at - story.newest_at
    return max(story.first_at - article.published_at, timedelta(0))


def _joined(article: Article, mine: Features, story: Story, score: float) -> Joined:
    shares = (containment(mine.shingles, Features.from_json(member.features).shingles) for member in story.members)
    role = Role.COPY if max(shares, default=0.0) >= COPY else Role.REPORT
    member = _member(article, mine, role)
    grown = replace(
        story,
        first_at=min(story.first_at, article.published_at),
        newest_at=max(story.newest_at, article.published_at),
        members=(*story.members, member),
    )
    return Joined(story=grown, member=member, similarity=score)


def _opened(article: Article, mine: Features, *, linked: str | None, similarity: float) -> Joined:
    member = _member(article, mine, Role.FIRST)
    story = Story(
        id="s-" + hashlib.sha256(article.id.encode()).hexdigest()[:12],
        first_at=article.published_at,
        newest_at=article.published_at,
        members=(member,),
        linked=linked,
    )
    return Joined(story=story, member=member, similarity=similarity)


def _member(article: Article, mine: Features, role: Role) -> Member:
    return Member(
        article_id=article.id,
        role=role,
        outlet=article.outlet,
        origin=origin(article),
        published_at=article.published_at,
        features=mine.to_json(),
    )
