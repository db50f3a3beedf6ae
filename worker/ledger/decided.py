"""What was decided about articles: the alerts that follow, and why none does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from worker.ledger.alert_rows import alert_from_row, alert_to_row
from worker.ledger.engine import Transaction
from worker.ledger.inserts import insert_new
from worker.ledger.tables import OPEN, alert, decision
from worker.model import Alert, Reason, Role


def add(t: Transaction, a: Alert) -> bool:
    """Record an alert as due; ``False`` when its key exists, which means that it was decided before."""
    return insert_new(t, alert, alert_to_row(a))


def add_decision(
    t: Transaction,
    *,
    article_id: str,
    topic_id: str,
    channel_id: str,
    reason: Reason,
    now: datetime,
    detail: str = "",
    alert_key: str | None = None,
) -> None:
    """Record why an article was or was not told to a channel, and with which alert."""
    values = {
        "article_id": article_id,
        "topic_id": topic_id,
        "channel_id": channel_id,
        "reason": reason,
        "at": now,
        "detail": detail,
        "alert_key": alert_key,
    }
    insert_new(t, decision, values)


def told(t: Transaction, *, story_id: str, topic_id: str) -> list[tuple[Alert, bool]]:
    """Return the alerts of a topic about a story, oldest first, each with whether it still waits untouched."""
    rows = t.execute(
        select(alert).where(alert.c.story_id == story_id, alert.c.topic_id == topic_id).order_by(alert.c.id)
    )
    return [(alert_from_row(row), _waits(row)) for row in rows]


def _waits(row: Row[Any]) -> bool:
    # A lease may already have read what to send; only an untouched alert will still take in more.
    return row.work == OPEN and row.lease_until is None and row.started_at is None


def due_times(t: Transaction, channel_id: str, *, since: datetime, roles: Sequence[Role]) -> list[datetime]:
    """Return when alerts of these roles were or are due on a channel, from ``since`` on, earliest first."""
    return list(
        t.execute(
            select(alert.c.due_at)
            .where(alert.c.channel_id == channel_id, alert.c.due_at >= since, alert.c.role.in_(roles))
            .order_by(alert.c.due_at)
        ).scalars()
    )


def of_article(t: Transaction, article_id: str) -> list[dict[str, Any]]:
    """Return every decision about an article and, where one was made, its alert and how its delivery went."""
    rows = t.execute(
        select(
            decision,
            alert.c.key,
            alert.c.role,
            alert.c.work,
            alert.c.due_at,
            alert.c.sent_at,
            alert.c.last_error,
        )
        .outerjoin(alert, alert.c.key == decision.c.alert_key)
        .where(decision.c.article_id == article_id)
        .order_by(decision.c.topic_id, decision.c.channel_id, decision.c.at)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
