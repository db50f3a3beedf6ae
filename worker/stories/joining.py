"""Joining an article to the story it belongs to.

An article is compared to every member of the stories near in time. Where it is plain to which one it belongs it joins
that one. Where it is not, the articles of all stories that it resembles are grouped anew, so that what was put together
or kept apart for want of a third report is mended as soon as that comes, and the stories do not depend on the order of
arrival: stories become one, or an article leaves the story it was taken into. That is decided by weights learned from
such decisions (``Model.decide``), which are the hard ones: of 78 labelled events, most of them with a look-alike in the
same stream, they raise the B-cubed F1 in cross-validation from .90 to .95.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from worker.model import Article, Member, Role, Story
from worker.stories import grouping
from worker.stories.features import Features
from worker.stories.model import Model, probability
from worker.stories.origins import origin
from worker.stories.roles import role
from worker.stories.shingles import containment

#: An article joins no story whose nearest article is further away than this.
WINDOW = timedelta(hours=72)
#: A story that is older, but not older than this, may be linked as the one before.
HORIZON = timedelta(days=90)
#: Members of one story that are compared: the first and the newest.
_COMPARED = 12
#: Stories that are looked at together, and the greatest number of their articles: larger ones have settled.
_TOGETHER, _UNSETTLED = 4, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Where an article has gone: the story as it is now, and what the article is to it."""

    story: Story
    member: Member
    #: 0..1: how sure it is that the article and the story it joined are about one event; of the nearest, if it opened
    #: one.
    similarity: float
    #: Stories all of whose articles are in ``story`` now.
    merges: tuple[str, ...] = ()
    #: Other stories as they are now, because articles have left them or were put together anew; an id that is none of
    #: the candidates' is that of a story which this has opened.
    changed: tuple[Story, ...] = ()

    @property
    def role(self) -> Role:
        """What the article is to the story."""
        return self.member.role


def decode(member: Member) -> Features:
    """Return the features of a member as the ledger keeps them. They never change, so a caller may remember them."""
    return Features.from_json(member.features, member.shingles)


def join(
    article: Article,
    mine: Features,
    candidates: Sequence[Story],
    *,
    model: Model,
    decoded: Callable[[Member], Features] = decode,
    compare: grouping.Comparison | None = None,
) -> Joined:
    """Return the story that ``article`` joins, or the new one that it opens.

    ``candidates`` are stories near in time, and older ones: any whose span lies further than ``WINDOW`` from the
    article is only considered for a link. The result does not depend on their order. ``compare`` compares two articles:
    ``grouping.remembered()``, for those who let many join.
    """
    mine_is = _Placed(article, mine, model, decoded, compare or grouping.remembered())
    stories = _by_age(candidates)
    near = [story for story in stories if distance(article, story) <= WINDOW]
    copied = mine_is.copied_from(near)
    if copied is not None:
        return mine_is.joined(copied, 1.0)
    scored = sorted(((mine_is.score(story), story) for story in near), key=lambda pair: -pair[0])
    alike = [(score, story) for score, story in scored if score >= model.near][:_TOGETHER]
    best = scored[0][0] if scored else -30.0
    if alike and _unsettled(story for _, story in alike):
        return mine_is.regrouped([story for _, story in alike], best, stories)
    if alike and best >= model.join:
        return mine_is.joined(alike[0][1], probability(best))
    return mine_is.opened(stories, probability(best))


def follows(
    article: Article,
    mine: Features,
    candidates: Sequence[Story],
    *,
    model: Model,
    decoded: Callable[[Member], Features] = decode,
    compare: grouping.Comparison | None = None,
) -> str | None:
    """Return the id of the story of which ``article`` is the sequel, if one of ``candidates`` is: all have ended."""
    return _Placed(article, mine, model, decoded, compare or grouping.remembered()).follows(_by_age(candidates))


def merge(into: Story, other: Story) -> Story:
    """Return ``into`` with the articles of ``other``: whoever was first there is one more report here."""
    own = {member.article_id for member in into.members}
    added = (replace(m, role=_no_first(m.role)) for m in other.members if m.article_id not in own)
    return _with(into, [*into.members, *added])


def distance(article: Article, story: Story) -> timedelta:
    """Return how far an article is from the time in which a story was told; nothing when it lies within."""
    if article.published_at > story.newest_at:
        return article.published_at - story.newest_at
    return max(story.first_at - article.published_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class _Placed:
    """An article that is looking for its story."""

    article: Article
    mine: Features
    model: Model
    decoded: Callable[[Member], Features]
    alike: grouping.Comparison

    def score(self, story: Story) -> float:
        return grouping.score(self.mine, [self.decoded(m) for m in _compared(story)], self.model, self.alike)

    def copied_from(self, stories: Iterable[Story]) -> Story | None:
        """Return the story that has the article's own text already."""
        shares = (
            (containment(self.mine.copied, self.decoded(member).copied), story)
            for story in stories
            for member in _compared(story)
        )
        best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
        return best[1] if best[0] >= self.model.copy else None

    def joined(self, story: Story, similarity: float) -> Joined:
        source = origin(self.article)
        is_ = role(self.article, self.mine, self._known(story.members), model=self.model, source=source)
        member = self._member(*is_, source)
        return Joined(story=_with(story, [*story.members, member]), member=member, similarity=similarity)

    def opened(self, stories: Sequence[Story], similarity: float) -> Joined:
        member = self._member(Role.FIRST, "", origin(self.article))
        story = Story(
            id=story_id(self.article.id),
            first_at=self.article.published_at,
            newest_at=self.article.published_at,
            members=(member,),
            linked=self.follows(stories),
        )
        return Joined(story=story, member=member, similarity=similarity)

    def follows(self, stories: Sequence[Story]) -> str | None:
        """Return the id of the ended story of which the article is most likely the sequel."""
        earlier = [
            (score, story)
            for story in stories
            if WINDOW < self.article.published_at - story.newest_at <= HORIZON
            and (score := self.score(story)) >= self.model.link
        ]
        return max(earlier, key=lambda pair: pair[0])[1].id if earlier else None

    def regrouped(self, near: Sequence[Story], best: float, stories: Sequence[Story]) -> Joined:
        """Return where the article is after all articles of ``near`` and itself were grouped anew."""
        members = sorted((m for story in near for m in story.members), key=_order)
        places = [*map(self.decoded, members), self.mine]
        parts = [part for part in grouping.groups(places, self.model, self.alike) if part != [len(members)]]
        mine = next((part for part in parts if len(members) in part), None)
        if mine is None:
            return self.opened(stories, probability(best))
        mine.remove(len(members))
        return self._placed(
            near, [[members[place] for place in part] for part in [mine, *(p for p in parts if p is not mine)]], best
        )

    def _placed(self, near: Sequence[Story], parts: Sequence[Sequence[Member]], best: float) -> Joined:
        """Return the article joined to the first of ``parts``, each of which has become a story."""
        own, *others = _homes(near, parts, self.article.id)
        kept, before = {own.id, *(story.id for story in others)}, {story.id: story for story in near}
        return replace(
            self.joined(own, probability(best)),
            merges=tuple(story.id for story in near if story.id not in kept),
            changed=tuple(story for story in others if before.get(story.id) != story),
        )

    def _known(self, members: Iterable[Member]) -> list[tuple[Member, Features]]:
        return [(member, self.decoded(member)) for member in members]

    def _member(self, role: Role, why: str, source: str) -> Member:
        return Member(
            article_id=self.article.id,
            role=role,
            outlet=self.article.outlet,
            origin=source,
            published_at=self.article.published_at,
            why=why,
            features=self.mine.to_json(),
            shingles=self.mine.shingles,
        )


def story_id(article_id: str) -> str:
    """Return the id of the story that an article opens."""
    return "s-" + hashlib.sha256(article_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _by_age(stories: Iterable[Story]) -> list[Story]:
    return sorted(stories, key=lambda story: (story.first_at, story.id))


def _homes(near: Sequence[Story], parts: Sequence[Sequence[Member]], added: str) -> list[Story]:
    """Return a story for each part: the oldest whose first article it holds, else one that it has come from, else new.

    ``added`` is the id of the article that has come. Only the first part, which it has joined, may make one story of
    several: the others keep them apart.
    """
    by_age = _by_age(near)
    firsts = {_first(story.members).article_id: story for story in by_age}
    of = {member.article_id: story for story in by_age for member in story.members}
    apart = [parts[0], *(piece for part in parts[1:] for piece in _kept_apart(part, firsts, of))]
    homes = [
        min((firsts[m.article_id] for m in part if m.article_id in firsts), key=by_age.index, default=None)
        for part in apart
    ]
    taken = {home.id for home in homes if home is not None}
    stories = []
    for part, home in zip(apart, homes, strict=True):
        left = [of[m.article_id] for m in part if of[m.article_id].id not in taken]
        chosen = home or (left[0] if left else _new(part, added))
        taken.add(chosen.id)
        stories.append(_with(chosen, part))
    return stories


def _kept_apart(part: Sequence[Member], firsts: Mapping[str, Story], of: Mapping[str, Story]) -> list[Sequence[Member]]:
    """Return ``part`` in pieces of which none holds the first articles of two stories."""
    opened = [firsts[member.article_id].id for member in part if member.article_id in firsts]
    leaving = {story: [m for m in part if of[m.article_id].id == story] for story in opened[1:]}
    rest = [member for member in part if of[member.article_id].id not in leaving]
    return [rest, *leaving.values()]


def _new(part: Sequence[Member], added: str) -> Story:
    first = min(part, key=_order)
    at = first.published_at
    # The article may have opened stories before that are others by now, whose ids are taken: it was put by itself then
    # because of other articles.
    return Story(id=story_id(f"{first.article_id}\x1fapart\x1f{added}"), first_at=at, newest_at=at, members=())


def _with(story: Story, members: Iterable[Member]) -> Story:
    """Return ``story`` with these members, of which one is the first."""
    ordered = sorted(members, key=_order)
    first = _first(ordered)
    roles = [_as(m, Role.FIRST if m is first else _no_first(m.role)) for m in ordered]
    return replace(story, first_at=ordered[0].published_at, newest_at=ordered[-1].published_at, members=tuple(roles))


def _as(member: Member, role: Role) -> Member:
    # Of most members it is the role that they have: a new value of each would take a twentieth of a join.
    return member if member.role is role else replace(member, role=role)


def _first(members: Sequence[Member]) -> Member:
    """Return the article with which the story was opened."""
    return min(members, key=lambda m: (m.role is not Role.FIRST, _order(m)))


def _no_first(role: Role) -> Role:
    return Role.REPORT if role is Role.FIRST else role


def _order(member: Member) -> tuple[object, ...]:
    return member.published_at, member.article_id


def _compared(story: Story) -> Sequence[Member]:
    members = story.members
    return members if len(members) <= _COMPARED else (members[0], *members[1 - _COMPARED :])


def _unsettled(stories: Iterable[Story]) -> bool:
    sizes = [len(story.members) for story in stories]
    return sum(sizes) <= _UNSETTLED and max(sizes) <= _COMPARED
