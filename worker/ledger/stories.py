"""Stories in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update

from worker.ledger import turns
from worker.ledger.engine import Transaction
from worker.ledger.tables import member, story
from worker.model import Member, Role, Story


def take_turn(t: Transaction) -> None:
    """Wait until no other transaction joins stories.

    What is read after this is what the join may rely on until the commit, so that two workers with two reports of
    one event never open two stories.
    """
    turns.take(t, "stories")


def active(t: Transaction, *, since: datetime, until: datetime) -> list[Story]:
    """Return the stories whose time from first to newest article touches ``since`` to ``until``, oldest first."""
    return _stories(t, (story.c.newest_at >= since) & (story.c.first_at <= until))


def get(t: Transaction, story_id: str) -> Story | None:
    """Return the story with this id, if it is still kept."""
    found = _stories(t, story.c.id == story_id)
    return found[0] if found else None


def of_article(t: Transaction, article_id: str) -> str | None:
    """Return the id of the story that the article has joined, if it has joined one."""
    return t.execute(select(member.c.story_id).where(member.c.article_id == article_id)).scalar()


def save(t: Transaction, s: Story, *, new: Member, now: datetime) -> None:
    """Write a story that ``new`` has opened or joined. Call ``take_turn`` before reading what it rests on."""
    values = {"first_at": s.first_at, "newest_at": s.newest_at, "linked": s.linked}
    if t.execute(update(story).where(story.c.id == s.id).values(**values)).rowcount == 0:
        t.execute(insert(story).values(id=s.id, **values))
    t.execute(
        insert(member).values(
            article_id=new.article_id,
            story_id=s.id,
            role=new.role,
            outlet=new.outlet,
            origin=new.origin,
            published_at=new.published_at,
            joined_at=now,
            features=dict(new.features),
        )
    )


def _stories(t: Transaction, condition: ColumnElement[bool]) -> list[Story]:
    rows = t.execute(
        select(story.c.id, story.c.first_at, story.c.newest_at, story.c.linked, member)
        .join(member, member.c.story_id == story.c.id)
        .where(condition)
        .order_by(story.c.first_at, story.c.id, member.c.published_at, member.c.article_id)
    )
    return [_story(group) for _, group in groupby(rows, key=lambda row: row.id)]


def _story(rows: Iterable[Row[Any]]) -> Story:
    members = list(rows)
    first = members[0]
    return Story(
        id=first.id,
        first_at=first.first_at,
        newest_at=first.newest_at,
        linked=first.linked,
        members=tuple(_member(row) for row in members),
    )


def _member(row: Row[Any]) -> Member:
    return Member(
        article_id=row.article_id,
        role=Role(row.role),
        outlet=row.outlet,
        origin=row.origin,
        published_at=row.published_at,
        features=row.features,
    )
