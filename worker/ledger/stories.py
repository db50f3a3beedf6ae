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
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Text, bindparam, exists, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger import turns
from worker.ledger.engine import Transaction
from worker.ledger.ready import Ready
from worker.ledger.tables import member, posting, story
from worker.ledger.tables import turn as turns_table
from worker.model import Member, Role, Story

_TURN: Final = "stories"
#: Of a story so many of its newest members are compared with, and its first.
COMPARED: Final = 40
#: Members that are read without asking how many there are: most stories have few, and to count them takes the database
#: as long as to read them.
_SOME: Final = 240
#: Lengths of lists for which statements are kept.
_LENGTHS: Final = 500
#: How often one story may have turned out to be another: each is older than the one before.
_MOST_MERGES: Final = 100
#: What of a member is read where its features are not asked for, or known.
_LIGHT = (
    member.c.article_id,
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


def seen(t: Transaction, article_id: str) -> tuple[int, str | None]:
    """Return ``turn(t)`` and ``of_article(t, article_id)``, as they are at the same moment."""
    last, of = _SEEN.first(t, {"name": _TURN, "id": article_id})
    return int(last or 0), of


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
    row = _OF_ARTICLE.first(t, {"id": article_id})
    return None if row is None else row.story_id


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
    wanted = list(story_ids)
    if not wanted:
        return [], {}
    rows: Sequence[_Columns] = _some_members(len(wanted)).all(t, _numbered(wanted))
    if len(rows) == _SOME:
        rows = t.execute(_compared(len(wanted)), _numbered(wanted)).all()
    by_story = (list(group) for _, group in groupby(sorted(rows, key=_BY_TIME), key=itemgetter(0)))
    kept = [_kept(members) for members in by_story]
    return list(map(_story, kept)), {row[4]: row[9] for members in kept for row in members}


def features(t: Transaction, article_ids: Iterable[str]) -> dict[str, tuple[Mapping[str, Any], bytes]]:
    """Return what members are compared by, features and shingles, by the ids of their articles."""
    wanted = list(article_ids)
    if not wanted:
        return {}
    rows = _features(len(wanted)).all(t, _numbered(wanted))
    return {article_id: (values, shingles or b"") for article_id, values, shingles in rows}


def save(t: Transaction, s: Story, *, new: Member, now: datetime, turn: int = 0) -> None:
    """Write a story that ``new`` has opened or joined in the turn with this number."""
    write(t, s)
    _JOINING.run(
        t,
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
    _WRITING.run(t, values)


def _followed(merged: Mapping[str, str], story_id: str | None) -> str | None:
    """Return the id under which a story is kept now, where ``merged`` says which turned out to be which."""
    while story_id is not None and story_id in merged:
        story_id = merged[story_id]
    return story_id


# To unpack a row is several times as fast as to ask it for its columns by their names.
_Columns = Sequence[Any]


def _grouped(rows: Iterable[_Columns]) -> list[Story]:
    """Return stories of rows that are ordered by story, and by time within one."""
    return [_story(list(group)) for _, group in groupby(rows, key=itemgetter(0))]


def _kept(rows: Sequence[_Columns]) -> Sequence[_Columns]:
    """Return the members of a story that others are compared with, in order, given those of it that were read."""
    if len(rows) <= COMPARED:
        return rows
    return [
        row for age, row in zip(range(len(rows), 0, -1), rows, strict=True) if age <= COMPARED or row[5] == Role.FIRST
    ]


def _story(rows: Sequence[_Columns]) -> Story:
    story_id, first_at, newest_at, linked, *_ = rows[0]
    members = tuple(map(_member, rows))
    return Story(id=story_id, first_at=first_at, newest_at=newest_at, linked=linked, members=members)


def _member(row: _Columns) -> Member:
    _, _, _, _, article_id, role, outlet, origin, published_at, _, why, *_ = row
    return Member(
        article_id=article_id, role=Role(role), outlet=outlet, origin=origin, published_at=published_at, why=why
    )


#: Of a row its story, when its article was published, and the article.
_BY_TIME = itemgetter(0, 8, 4)


def _numbered(values: Sequence[str]) -> dict[str, str]:
    return {f"id{number}": value for number, value in enumerate(values)}


def _parameters(count: int) -> list[Any]:
    # Of so many, rather than of any number: SQLAlchemy would write the statement anew each time it is run.
    return [bindparam(f"id{number}", type_=Text()) for number in range(count)]


# The statements, made once: composing one costs more than running it.


@cache
def _joined_since() -> Any:  # noqa: ANN401 - a SELECT
    terms = posting.c.term.in_(bindparam("terms", expanding=True))
    shares = exists().where(posting.c.article_id == member.c.article_id, terms)
    matters = or_(member.c.story_id.in_(bindparam("ids", expanding=True)), shares)
    # In their order, so that no database looks at more than those that are newer.
    newest = member.c.seq.desc()
    return select(member.c.article_id).where(member.c.seq > bindparam("seen"), matters).order_by(newest).limit(1)


def _seen(_: str) -> Any:  # noqa: ANN401 - a SELECT
    last = select(turns_table.c.count).where(turns_table.c.name == bindparam("name")).scalar_subquery()
    return select(last, _of_article().scalar_subquery())


_SEEN: Final = Ready(_seen)


@cache
def _merged() -> Any:  # noqa: ANN401 - a SELECT
    return select(story.c.merged).where(story.c.id == bindparam("id"))


def _of_article() -> Any:  # noqa: ANN401 - a SELECT
    return select(member.c.story_id).where(member.c.article_id == bindparam("id"))


_OF_ARTICLE: Final = Ready(lambda _: _of_article())


@cache
def _all_members() -> Any:  # noqa: ANN401 - a SELECT
    return (
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, *_LIGHT)
        .join(member, member.c.story_id == story.c.id)
        .where(story.c.id == bindparam("id"))
        .order_by(member.c.published_at, member.c.article_id)
    )


@lru_cache(maxsize=_LENGTHS)
def _some_members(count: int) -> Ready:
    made = (
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, *_LIGHT)
        .join(member, member.c.story_id == story.c.id)
        .where(story.c.id.in_(_parameters(count)))
        .limit(_SOME)
    )
    return Ready(lambda _: made)


@lru_cache(maxsize=_LENGTHS)
def _compared(count: int) -> Any:  # noqa: ANN401 - a SELECT
    age = func.row_number().over(partition_by=member.c.story_id, order_by=(member.c.published_at.desc()))
    all_ = (
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, *_LIGHT, age.label("age"))
        .join(member, member.c.story_id == story.c.id)
        .where(story.c.id.in_(_parameters(count)))
        .subquery()
    )
    return select(all_).where((all_.c.age <= COMPARED) | (all_.c.role == Role.FIRST))


@lru_cache(maxsize=_LENGTHS)
def _features(count: int) -> Ready:
    wanted = member.c.article_id.in_(_parameters(count))
    return Ready(lambda _: select(member.c.article_id, member.c.features, member.c.shingles).where(wanted))


def _writing(dialect: str) -> Any:  # noqa: ANN401 - an upsert of one of two dialects
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(story)
    # What was part of another story for a time may be one of its own again.
    changed = ("first_at", "newest_at", "linked", "merged")
    return insertion.on_conflict_do_update(
        index_elements=[story.c.id], set_={name: insertion.excluded[name] for name in changed}
    )


_WRITING: Final = Ready(_writing, "id", "first_at", "newest_at", "linked", "merged")
_JOINING: Final = Ready(
    lambda _: insert(member),
    *("article_id", "story_id", "role", "outlet", "origin", "published_at", "joined_at", "why"),
    *("features", "shingles", "seq"),
)
