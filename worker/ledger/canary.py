"""What the ledger knows of the canary: when one has last come through, and the traces that it may lose."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, select

from worker.ledger.engine import Transaction
from worker.ledger.tables import (
    DONE,
    OPEN,
    alert,
    alias,
    article,
    dead,
    decision,
    delivery,
    entry,
    match,
    member,
    posting,
    story,
)
from worker.model import CANARY

#: Entries whose traces go in one transaction.
_BATCH: Final = 200


def arrived_at(t: Transaction) -> datetime | None:
    """Return when an alert of the canary was last delivered; ``None`` when none was."""
    found: datetime | None = t.execute(
        select(func.max(alert.c.sent_at)).where(alert.c.channel_id == CANARY, alert.c.work == DONE)
    ).scalar()
    return found


def forget(t: Transaction, *, before: datetime) -> int:
    """Erase what canaries found before a time have left behind, and return how many went. Open work stays."""
    waiting = select(alert.c.article_id).where(alert.c.channel_id == CANARY, alert.c.work == OPEN)
    old = (entry.c.feed_id == CANARY) & (entry.c.first_seen_at < before) & (entry.c.work != OPEN)
    old &= func.coalesce(entry.c.article_id, "").not_in(waiting)
    rows = t.execute(select(entry.c.id, entry.c.article_id).where(old).order_by(entry.c.id).limit(_BATCH)).all()
    ids, articles = [row.id for row in rows], [row.article_id for row in rows if row.article_id]
    stories = _column(t, member.c.story_id, member.c.article_id.in_(articles))
    alerts = t.execute(select(alert.c.id, alert.c.key).where(alert.c.article_id.in_(articles))).all()
    _erase(t, delivery.c.alert_key, [row.key for row in alerts])
    t.execute(delete(dead).where(dead.c.kind == "alert", dead.c.ref.in_([row.id for row in alerts])))
    for column in (alert.c.article_id, decision.c.article_id, match.c.article_id, posting.c.article_id):
        _erase(t, column, articles)
    _erase(t, member.c.article_id, articles)
    _erase(t, article.c.id, articles)
    # A story that somebody else has joined, which cannot be, would stay.
    left = set(_column(t, member.c.story_id, member.c.story_id.in_(stories)))
    _erase(t, story.c.id, [name for name in stories if name not in left])
    t.execute(delete(dead).where(dead.c.kind == "entry", dead.c.ref.in_(ids)))
    _erase(t, alias.c.entry_id, ids)
    _erase(t, entry.c.id, ids)
    return len(ids)


def _column(t: Transaction, column: Any, condition: Any) -> list[Any]:  # noqa: ANN401 - SQLAlchemy's
    return list(t.execute(select(column).where(condition).distinct()).scalars())


def _erase(t: Transaction, column: Any, values: list[Any]) -> None:  # noqa: ANN401 - a column of any table
    t.execute(delete(column.table).where(column.in_(values)))
