"""Questions that are asked every few seconds while the service runs: each reads as little as it can."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from worker.ledger.engine import Transaction
from worker.ledger.tables import OPEN, Instant, alert, dead, delivery, feed, match, snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGauge:
    """How a feed does."""

    id: str
    #: See ``worker.model.FeedState``.
    state: str
    failures: float
    last_success_at: datetime | None
    #: ``None`` when it is not polled.
    next_poll_at: datetime | None
    #: What was waited after the last poll, and what is configured.
    interval: timedelta
    base: timedelta


def feeds(t: Transaction) -> list[FeedGauge]:
    """Return how every feed does that is configured now or was once, by id."""
    c = feed.c
    query = select(c.id, c.state, c.failures, c.last_success_at, c.due_at, c.work, c.interval, c.base).order_by(c.id)
    return [
        FeedGauge(
            id=row.id,
            state=row.state,
            failures=row.failures,
            last_success_at=row.last_success_at,
            next_poll_at=row.due_at if row.work == OPEN else None,
            interval=row.interval,
            base=row.base,
        )
        for row in t.execute(query).all()
    ]


def rhythms(t: Transaction) -> dict[str, Mapping[str, Any]]:
    """Return what is known of how often each failing feed publishes, by id."""
    rows = t.execute(select(feed.c.id, feed.c.rhythm).where(feed.c.failures > 0, feed.c.work == OPEN))
    return {row.id: row.rhythm for row in rows}


def pending(t: Transaction, *, now: datetime) -> dict[str, float]:
    """Return for each channel for how many seconds the alert that is overdue for longest could not be delivered.

    That is since it was first tried (since it was last sent, of one that is sent again); of one that was never tried,
    since it was due. What waits on purpose, for the end of quiet hours or a digest, is not overdue.
    """
    tried = (
        select(func.min(delivery.c.at))
        .where(delivery.c.alert_key == alert.c.key, delivery.c.at > func.coalesce(alert.c.sent_at, 0))
        .correlate(alert)
        .scalar_subquery()
    )
    since = func.min(func.coalesce(tried, alert.c.due_at), type_=Instant())
    rows = t.execute(select(alert.c.channel_id, since).where(alert.c.work == OPEN).group_by(alert.c.channel_id))
    return {channel: max((now - at).total_seconds(), 0.0) for channel, at in rows}


def last_matches(t: Transaction, topics: Collection[str]) -> dict[str, datetime]:
    """Return when each of ``topics`` has last met an article; those that never did are left out."""
    query = select(match.c.topic_id, func.max(match.c.matched_at)).where(match.c.topic_id.in_(topics))
    return {row[0]: row[1] for row in t.execute(query.group_by(match.c.topic_id))}


def dead_letters(t: Transaction) -> dict[str, int]:
    """Return how many dead letters were not given back, by kind (``entry`` or ``alert``)."""
    query = select(dead.c.kind, func.count()).where(dead.c.redriven_at.is_(None)).group_by(dead.c.kind)
    return {row[0]: row[1] for row in t.execute(query)}


def configuration(t: Transaction) -> tuple[int, datetime | None]:
    """Return the generation of the configuration in force, and since when it is; 0 and ``None`` when there is none."""
    newest = select(snapshot.c.generation, snapshot.c.taken_at).order_by(snapshot.c.generation.desc()).limit(1)
    row = t.execute(newest).one_or_none()
    return (0, None) if row is None else (row.generation, row.taken_at)
