"""Alerts with all that a channel shows of them, as things stand now. How it is kept: ``worker.ledger.shown``."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, distinct, func, select

from worker.ledger.engine import Transaction
from worker.ledger.entries import get_article
from worker.ledger.tables import DONE, alert, member, story
from worker.model import Alert, Message, Role


def message(t: Transaction, a: Alert, *, topic: str, now: datetime) -> Message | None:
    """Return all that a channel shows for an alert, as of ``now``; ``None`` when its article is no longer kept.

    The quotes, and the link to the console, are for the caller to add.
    """
    article = get_article(t, a.article_id)
    if article is None:
        return None
    counts = t.execute(_counts(), {"story": a.story_id}).one()
    linked, linked_at = _linked(t, a.story_id)
    return Message(
        alert=a,
        article=article,
        topic=topic,
        at=now,
        articles=counts.articles,
        outlets=counts.outlets,
        origins=counts.origins,
        newest_at=counts.newest_at,
        linked=linked,
        linked_at=linked_at,
        thread=_thread(t, a),
    )


def _linked(t: Transaction, story_id: str) -> tuple[str | None, datetime | None]:
    row = t.execute(_before(), {"story": story_id}).one_or_none()
    return (None, None) if row is None else (row.linked, row.first_at)


def _thread(t: Transaction, a: Alert) -> Any:  # noqa: ANN401 - a scalar
    """Return what the channel called its first message of the story and topic."""
    if a.role is Role.FIRST:
        return None
    return t.execute(_first(), {"story": a.story_id, "topic": a.topic_id, "channel": a.channel_id}).scalar()


# The statements, made once: composing one costs more than running it.


@cache
def _counts() -> Any:  # noqa: ANN401 - a SELECT
    return select(
        func.count().label("articles"),
        func.count(distinct(member.c.outlet)).label("outlets"),
        func.count(distinct(member.c.origin)).label("origins"),
        func.max(member.c.published_at).label("newest_at"),
    ).where(member.c.story_id == bindparam("story"))


@cache
def _before() -> Any:  # noqa: ANN401 - a SELECT
    before = story.alias("before")
    return (
        select(story.c.linked, before.c.first_at)
        .outerjoin(before, before.c.id == story.c.linked)
        .where(story.c.id == bindparam("story"))
    )


@cache
def _first() -> Any:  # noqa: ANN401 - a SELECT
    return (
        select(alert.c.remote_id)
        .where(
            alert.c.story_id == bindparam("story"),
            alert.c.topic_id == bindparam("topic"),
            alert.c.channel_id == bindparam("channel"),
            alert.c.role == Role.FIRST,
            alert.c.work == DONE,
            alert.c.remote_id.is_not(None),
        )
        .order_by(alert.c.id)
        .limit(1)
    )
