"""Where an article goes: the story that it joins or opens.

``prepare`` reads and thinks, without keeping anybody from anything; ``place`` writes, in the transaction that writes
all that follows from the article. See ``worker.ledger.stories`` for how several workers get by with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from worker.ledger import postings, regrouping, stories
from worker.ledger.engine import Transaction
from worker.ledger.regrouping import Moves, regroup
from worker.model import Article, Match, Member, Role, Story
from worker.stages.known import Known
from worker.stages.pipeline import Pipeline
from worker.stories import joining, model, rarity
from worker.stories.features import Features, features
from worker.stories.joining import HORIZON, WINDOW, Joined
from worker.stories.model import Model

#: Stories that an article is compared with, and older ones of which it may be the sequel.
NEAR: Final = 8
EARLIER: Final = 4
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class Parts(Protocol):
    """What an article is placed by: a pipeline has it, and ``Alone``."""

    @property
    def rarity(self) -> Callable[[str], float]:
        """Weight of a term."""
        ...

    @property
    def story_model(self) -> Model:
        """What decides whether two articles are about one event."""
        ...

    @property
    def known(self) -> Known:
        """What was read of stories before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What articles are placed by where there is nothing but articles."""

    rarity: Callable[[str], float] = field(default_factory=rarity.load)
    story_model: Model = field(default_factory=model.load)
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where an article would go, as things stood after the turn ``seen``."""

    article: Article
    mine: Features
    #: The terms by which its story is found, each with its rarity.
    weights: Mapping[str, float]
    seen: int
    joined: Joined
    #: The stories that it was compared with.
    near: Sequence[Story] = ()


class Placed(NamedTuple):
    """Where an article has gone."""

    #: With the members that were compared, which may not be all.
    story: Story
    role: Role
    #: Matches of other articles, of which nobody has been told in the story where those are now.
    untold: Sequence[Match] = ()


def prepare(p: Pipeline, article: Article) -> Prepared | None:
    """Return where ``article`` goes as things stand: ``place`` makes it so, or thinks again if they have changed.

    ``None`` when the article has a story already.
    """
    with p.ledger.read() as t:
        # First of all, so that nothing is read that is older than it.
        seen, of = stories.seen(t, article.id)
        if of is not None:
            return None
        return _think(t, p, article, features(article, rarity=p.rarity), seen=seen)


def place(t: Transaction, p: Parts, article: Article, *, now: datetime, prepared: Prepared | None = None) -> Placed:
    """Write down the article's story and what the article is to it, and return it; one that was edited stays there.

    Until ``t`` ends no other worker places an article, so whatever takes time belongs before it: hand in what
    ``prepare`` has ``prepared``. What others decided of the stories' alerts may change with this.
    """
    turn = stories.take_turn(t)
    if prepared is not None and prepared.article == article and turn == prepared.seen + 1:
        # Nobody has had a turn since, so that everything is as it was.
        return _write(t, p, prepared, turn=turn, now=now)
    of = stories.of_article(t, article.id)
    if of is not None and (story := stories.get(t, of)) is not None:
        role = next(m.role for m in story.members if m.article_id == article.id)
        # Whoever was first with something else is one more report of this.
        return Placed(story, Role.REPORT if role is Role.FIRST else role)
    if prepared is None or prepared.article != article:
        prepared = _think(t, p, article, features(article, rarity=p.rarity), seen=turn)
    elif _has_changed(t, prepared):
        prepared = _think(t, p, article, prepared.mine, seen=turn)
    return _write(t, p, prepared, turn=turn, now=now)


def _has_changed(t: Transaction, prepared: Prepared) -> bool:
    """Return whether somebody has joined since of whom the preparation ought to have known."""
    near = [story.id for story in prepared.near]
    return stories.joined_since(t, prepared.seen, story_ids=near, terms=list(prepared.weights))


def _think(t: Transaction, p: Parts, article: Article, mine: Features, *, seen: int) -> Prepared:
    at = article.published_at
    weights = {term: p.rarity(term) for term in mine.key_terms}
    found = postings.best(t, weights, since=_moved(at, -WINDOW), until=_moved(at, WINDOW), limit=NEAR)
    near, decoded = _read(t, p.known, found)
    joined = joining.join(article, mine, near, model=p.story_model, decoded=decoded, compare=p.known.alike)
    if joined.member.role is Role.FIRST:
        found = postings.best(t, weights, since=_moved(at, -HORIZON), until=_moved(at, -WINDOW), limit=EARLIER)
        older, decoded = _read(t, p.known, found)
        ended = [story for story in older if at - story.newest_at > WINDOW]
        linked = joining.follows(article, mine, ended, model=p.story_model, decoded=decoded, compare=p.known.alike)
        joined = replace(joined, story=replace(joined.story, linked=linked))
    return Prepared(article=article, mine=mine, weights=weights, seen=seen, joined=joined, near=near)


def _moved(at: datetime, by: timedelta) -> datetime:
    """Return ``at`` moved, or the end of the calendar."""
    try:
        return at + by
    except OverflowError:
        return _LAST if by > timedelta(0) else _FIRST


def _read(t: Transaction, known: Known, story_ids: Iterable[str]) -> tuple[list[Story], Callable[[Member], Features]]:
    """Return stories, and what gives the features of their members."""
    found, joined_at = stories.compared(t, story_ids)
    decoded = known.get(joined_at)
    missing = [article_id for article_id in joined_at if article_id not in decoded]
    for article_id, (values, shingles) in stories.features(t, missing).items():
        decoded[article_id] = known.add(article_id, joined_at[article_id], Features.from_json(values, shingles))
    return found, lambda member: decoded[member.article_id]


def _whole(joined: Joined, near: Iterable[Story]) -> Story:
    """Return the story that was joined with its whole span: of a great one some members were not read."""
    before = next((story for story in near if story.id == joined.story.id), joined.story)
    if len(before.members) < stories.COMPARED:
        return joined.story
    first, newest = min(before.first_at, joined.story.first_at), max(before.newest_at, joined.story.newest_at)
    return replace(joined.story, first_at=first, newest_at=newest)


def _write(t: Transaction, p: Parts, prepared: Prepared, *, turn: int, now: datetime) -> Placed:
    joined = prepared.joined
    stories.save(t, _whole(joined, prepared.near), new=joined.member, now=now, turn=turn)
    story_id, at = joined.story.id, joined.member.published_at
    postings.add(t, joined.member.article_id, prepared.weights, story_id=story_id, at=at)
    p.known.add(joined.member.article_id, now, prepared.mine)
    untold: Sequence[Match] = ()
    if joined.merges or joined.changed:
        are = [joined.story, *joined.changed]
        moves = Moves.between(prepared.near, are, gone=joined.merges, into=joined.story.id)
        regroup(t, are, moves, turn=turn, now=now)
        untold = regrouping.untold(t, [story.id for story in joined.changed])
    return Placed(joined.story, joined.role, untold)
