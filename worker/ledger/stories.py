"""Stories in the ledger.

Several workers join articles at once without waiting for each other while they think. Whoever joins reads the number
of the last turn (``turn``) and what it needs, and decides; then it takes the turn (``take_turn``), and asks whether
anybody has joined since of whom it would have had to know (``joined_since``): if so it reads and decides again, which
nobody can disturb now. ``save`` writes the number of the turn beside what it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Row, bindparam, exists, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger import turns
from worker.ledger.engine import Transaction
from worker.ledger.tables import member, posting, story
from worker.model import Member, Role, Story

_TURN: Final = "stories"
#: Of a story so many of its newest members are compared with, and its first.
COMPARED: Final = 40
#: How often one story may have turned out to be another: each is older than the one before.
_MOST_MERGES: Final = 100
#: What of a member is read where its features are not asked for, or known.
_LIGHT = (
    member.c.article_id,
    member.c.story_id,
    member.c.role,
    member.c.outlet,
    member.c.origin,
    member.c.published_at,
    member.c.joined_at,
    member.c.why,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Where an article is, and what it is there."""

    story_id: str
    role: Role
    why: str
    origin: str
    #: The story that its story follows.
    linked: str | None


def turn(t: Transaction) -> int:
    """Return the number of the last turn: what ``t`` reads of stories is what they were after it."""
    return turns.last(t, _TURN)


def take_turn(t: Transaction) -> int:
    """Wait until no other transaction joins stories, and return the number of this turn.

    What is read after this is what the join may rely on until the commit, so that two workers with two reports of
    one event never open two stories.
    """
    return turns.take(t, _TURN)


def joined_since(t: Transaction, seen: int, *, story_ids: Collection[str], terms: Sequence[str]) -> bool:
    """Return whether an article has joined after turn ``seen``, or was moved, that matters to somebody else's join.

    It matters when its story is one of ``story_ids``, or when it shares one of ``terms``, by which it would have been
    found.
    """
    values = {"seen": seen, "ids": list(story_ids), "terms": list(terms)}
    return t.execute(_joined_since(), values).first() is not None


def current(t: Transaction, story_id: str) -> str:
    """Return the id under which a story is kept now: another one when it turned out to be the same as an older."""
    for _ in range(_MOST_MERGES):
        merged = t.execute(_merged(), {"id": story_id}).scalar()
        if merged is None:
            break
        story_id = merged
    return story_id


def get(t: Transaction, story_id: str) -> Story | None:
    """Return the story with this id, or the one that it turned out to be, if it is still kept.

    Its members come without what they are compared by.
    """
    found = _grouped(t.execute(_all_members(), {"id": story_id}))
    if not found and (now := current(t, story_id)) != story_id:
        found = _grouped(t.execute(_all_members(), {"id": now}))
    return found[0] if found else None


def of_article(t: Transaction, article_id: str) -> str | None:
    """Return the id of the story that the article has joined, if it has joined one."""
    return t.execute(_of_article(), {"id": article_id}).scalar()


def memberships(t: Transaction) -> dict[str, Membership]:
    """Return where every article is that has joined a story, by the ids of the articles."""
    query = select(member.c.article_id, member.c.story_id, member.c.role, member.c.why, member.c.origin, story.c.linked)
    now = {row.id: row.merged for row in t.execute(select(story.c.id, story.c.merged)) if row.merged}
    found = {}
    for row in t.execute(query.join(story, story.c.id == member.c.story_id)):
        found[row.article_id] = Membership(
            story_id=row.story_id,
            role=Role(row.role),
            why=row.why,
            origin=row.origin,
            linked=_followed(now, row.linked),
        )
    return found


def compared(t: Transaction, story_ids: Iterable[str]) -> tuple[list[Story], dict[str, datetime]]:
    """Return these stories with the members that others are compared with, and when each of those has joined.

    The stories are in no particular order, and the members come without their features (see ``features``).
    """
    rows = t.execute(_compared(), {"ids": list(story_ids)}).all()
    return _grouped(rows), {row.article_id: row.joined_at for row in rows}


def features(t: Transaction, article_ids: Iterable[str]) -> dict[str, tuple[Mapping[str, Any], bytes]]:
    """Return what members are compared by, features and shingles, by the ids of their articles."""
    wanted = list(article_ids)
    if not wanted:
        return {}
    return {row.article_id: (row.features, row.shingles or b"") for row in t.execute(_features(), {"ids": wanted})}


def save(t: Transaction, s: Story, *, new: Member, now: datetime, turn: int = 0) -> None:
    """Write a story that ``new`` has opened or joined in the turn with this number."""
    write(t, s)
    t.execute(
        _joining(),
        {
            "article_id": new.article_id,
            "story_id": s.id,
            "role": new.role,
            "outlet": new.outlet,
            "origin": new.origin,
            "published_at": new.published_at,
            "joined_at": now,
            "why": new.why,
            "features": dict(new.features),
            "shingles": new.shingles,
            "seq": turn,
        },
    )


def write(t: Transaction, s: Story) -> None:
    """Write a story without its members."""
    values = {"id": s.id, "first_at": s.first_at, "newest_at": s.newest_at, "linked": s.linked, "merged": None}
    t.execute(_writing(t.dialect.name), values)


def _followed(merged: Mapping[str, str], story_id: str | None) -> str | None:
    """Return the id under which a story is kept now, where ``merged`` says which turned out to be which."""
    while story_id is not None and story_id in merged:
        story_id = merged[story_id]
    return story_id


def _grouped(rows: Iterable[Row[Any]]) -> list[Story]:
    """Return stories of rows that are ordered by story, and by time within one."""
    return [_story(list(group)) for _, group in groupby(rows, key=lambda row: row.id)]


def _story(rows: Sequence[Row[Any]]) -> Story:
    any_ = rows[0]
    return Story(
        id=any_.id,
        first_at=any_.first_at,
        newest_at=any_.newest_at,
        linked=any_.linked,
        members=tuple(_member(row) for row in rows),
    )


def _member(row: Row[Any]) -> Member:
    return Member(
        article_id=row.article_id,
        role=Role(row.role),
        outlet=row.outlet,
        origin=row.origin,
        published_at=row.published_at,
        why=row.why,
    )


# The statements, made once: composing one costs more than running it.


@cache
def _joined_since() -> Any:  # noqa: ANN401 - a SELECT
    terms = posting.c.term.in_(bindparam("terms", expanding=True))
    shares = exists().where(posting.c.article_id == member.c.article_id, terms)
    matters = or_(member.c.story_id.in_(bindparam("ids", expanding=True)), shares)
    # In their order, so that no database looks at more than those that are newer.
    newest = member.c.seq.desc()
    return select(member.c.article_id).where(member.c.seq > bindparam("seen"), matters).order_by(newest).limit(1)


@cache
def _merged() -> Any:  # noqa: ANN401 - a SELECT
    return select(story.c.merged).where(story.c.id == bindparam("id"))


@cache
def _of_article() -> Any:  # noqa: ANN401 - a SELECT
    return select(member.c.story_id).where(member.c.article_id == bindparam("id"))


@cache
def _all_members() -> Any:  # noqa: ANN401 - a SELECT
    return (
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, *_LIGHT)
        .join(member, member.c.story_id == story.c.id)
        .where(story.c.id == bindparam("id"))
        .order_by(member.c.published_at, member.c.article_id)
    )


@cache
def _compared() -> Any:  # noqa: ANN401 - a SELECT
    age = func.row_number().over(partition_by=member.c.story_id, order_by=(member.c.published_at.desc()))
    numbered = select(*_LIGHT, age.label("age")).where(member.c.story_id.in_(bindparam("ids", expanding=True)))
    light = numbered.subquery()
    return (
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, light)
        .join(light, light.c.story_id == story.c.id)
        .where((light.c.age <= COMPARED) | (light.c.role == Role.FIRST))
        .order_by(story.c.id, light.c.published_at, light.c.article_id)
    )


@cache
def _features() -> Any:  # noqa: ANN401 - a SELECT
    wanted = member.c.article_id.in_(bindparam("ids", expanding=True))
    return select(member.c.article_id, member.c.features, member.c.shingles).where(wanted)


@cache
def _writing(dialect: str) -> Any:  # noqa: ANN401 - an upsert of one of two dialects
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(story)
    # What was part of another story for a time may be one of its own again.
    changed = ("first_at", "newest_at", "linked", "merged")
    return insertion.on_conflict_do_update(
        index_elements=[story.c.id], set_={name: insertion.excluded[name] for name in changed}
    )


@cache
def _joining() -> Any:  # noqa: ANN401 - an INSERT
    return insert(member)
