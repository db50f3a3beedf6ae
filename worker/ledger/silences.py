"""Silences in the ledger: what is not told for a time, who said so, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update

from worker.ledger.engine import Transaction
from worker.ledger.ready import Ready
from worker.ledger.tables import Instant, silence, story
from worker.model import Silence

#: Mergers of stories that are followed from the one that a silence names.
_MERGERS = 10


def add(
    t: Transaction,
    *,
    author: str,
    comment: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    topic: str = "",
    outlet: str = "",
    channel: str = "",
    story_id: str = "",
) -> Silence:
    """Record a silence and return it. Patterns are as in routes, and an empty one fits everything.

    Raises:
        ValueError: every pattern is empty, it ends before it begins or has ended already, or nobody gives a reason.
    """
    if not (topic or outlet or channel or story_id):
        raise ValueError("a silence needs a topic, an outlet, a channel or a story; to silence all, silence topic *")
    if not author.strip() or not comment.strip():
        raise ValueError("a silence needs an author and a comment, for those who wonder why it is quiet")
    if ends_at <= max(starts_at, now):
        raise ValueError("a silence must end after it begins, and later than now")
    values = {
        "topic": topic,
        "outlet": outlet,
        "channel": channel,
        "story": story_id,
        "author": author,
        "comment": comment,
        "created_at": now,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    return _silence(t.execute(insert(silence).values(**values).returning(silence)).one())


def matching(t: Transaction, *, now: datetime) -> list[Silence]:
    """Return the silences that hold ``now``, oldest first.

    One of a story that turned out to be another holds for that one.
    """
    found = [_silence(row) for row in _MATCHING.all(t, {"moment": now})]
    return [_followed(t, one) if one.story else one for one in found]


def _matching(_: str) -> Any:  # noqa: ANN401 - a SELECT
    moment = bindparam("moment", type_=Instant())
    return select(silence).where(silence.c.ends_at > moment, silence.c.starts_at <= moment).order_by(silence.c.id)


#: It is asked for every article that matches.
_MATCHING: Final = Ready(_matching)


def _followed(t: Transaction, one: Silence) -> Silence:
    name = one.story
    for _ in range(_MERGERS):
        merged = t.execute(select(story.c.merged).where(story.c.id == name)).scalar()
        if merged is None:
            break
        name = merged
    return replace(one, story=name)


def listed(t: Transaction, *, now: datetime | None = None) -> Sequence[Silence]:
    """Return silences, oldest first: those that hold ``now`` or will hold later, and all when no time is given."""
    query = select(silence).order_by(silence.c.id)
    if now is not None:
        query = query.where(silence.c.ends_at > now)
    return [_silence(row) for row in t.execute(query)]


def get(t: Transaction, silence_id: int) -> Silence | None:
    """Return the silence with this id, if it is still kept."""
    row = t.execute(select(silence).where(silence.c.id == silence_id)).one_or_none()
    return None if row is None else _silence(row)


def expire(t: Transaction, silence_id: int, *, now: datetime) -> bool:
    """End a silence now, or before it begins; ``False`` when there is none with this id that has not ended."""
    ended = t.execute(update(silence).where(silence.c.id == silence_id, silence.c.ends_at > now).values(ends_at=now))
    return ended.rowcount == 1


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        topic=row.topic,
        outlet=row.outlet,
        channel=row.channel,
        story=row.story,
        author=row.author,
        comment=row.comment,
        created_at=row.created_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )
