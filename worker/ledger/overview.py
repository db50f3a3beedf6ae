"""Questions about the whole ledger: what is due, how much waits, what was told."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, case, func, select

from worker.ledger.engine import Transaction
from worker.ledger.leases import is_in_hand, walk_indexes
from worker.ledger.ready import Ready
from worker.ledger.tables import (
    DEAD,
    DONE,
    GATHERED,
    OFF,
    OPEN,
    UNKNOWN,
    Instant,
    alert,
    article,
    dead,
    entry,
    feed,
    match,
)
from worker.ledger.tables import story as story_table

_QUEUES = {"poll": feed, "read": entry, "deliver": alert}


def next_due(t: Transaction, queue: str, *, after: datetime | None = None) -> datetime | None:
    """Return when the next row of a queue (``poll``, ``read``, ``deliver``) can be claimed; ``None`` if there is none.

    For a row in hand that is when its lease has run out and it is due. With ``after`` only later times are looked at.
    """
    walk_indexes(t)
    found = (one.first(t, {"after": after}) for one in _next_due(queue, later=after is not None))
    return min((row[0] for row in found if row is not None and row[0] is not None), default=None)


@cache
def _next_due(queue: str, *, later: bool) -> tuple[Ready, Ready]:
    # Two questions, each with an index of its own, so that a backlog costs nothing.
    table = _QUEUES[queue]
    c = table.c
    waits = select(c.due_at).where(c.work == OPEN, c.lease_until.is_(None)).order_by(c.due_at).limit(1)
    time = case((c.lease_until > c.due_at, c.lease_until), else_=c.due_at)
    in_hand = select(func.min(time)).where(is_in_hand(table))
    if later:
        after = bindparam("after", type_=Instant())
        waits, in_hand = waits.where(c.due_at > after), in_hand.where(time > after)
    return Ready(lambda _: waits), Ready(lambda _: in_hand)


def queues(t: Transaction, *, now: datetime) -> dict[str, dict[str, Any]]:
    """Return for each queue how many rows are open, due and in hand, and how many seconds the oldest has waited."""
    return {name: _queue(t, table, now) for name, table in _QUEUES.items()}


def _queue(t: Transaction, table: Any, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - one of three tables
    due = (table.c.due_at <= now) & table.c.lease_until.is_(None)
    row = t.execute(
        select(
            func.count(),
            func.count().filter(due),
            func.count().filter(table.c.lease_until.is_not(None)),
            func.min(table.c.due_at).filter(due),
        ).where(table.c.work == OPEN)
    ).one()
    oldest = (now - row[3]).total_seconds() if row[3] else 0.0
    return {"open": row[0], "due": row[1], "leased": row[2], "oldest_s": round(oldest, 3)}


def channels(t: Transaction) -> dict[str, dict[str, Any]]:
    """Return for each channel that ever had an alert what became of its alerts, and when the oldest open one was made.

    ``open``, ``gathered`` (told in a digest that is still to be sent), ``delivered``, ``unknown``, ``dead`` and ``off``
    are numbers; ``last_sent_at`` and ``oldest_open_at`` may be ``None``. Digests and notices count as alerts.
    """
    work = alert.c.work
    states = {"open": OPEN, "gathered": GATHERED, "delivered": DONE, "unknown": UNKNOWN, "dead": DEAD, "off": OFF}
    rows = t.execute(
        select(
            alert.c.channel_id,
            *(func.count().filter(work == state).label(name) for name, state in states.items()),
            func.max(alert.c.sent_at).label("last_sent_at"),
            # Neither a retry nor a channel that waits makes it younger.
            func.min(alert.c.created_at).filter(work == OPEN).label("oldest_open_at"),
        ).group_by(alert.c.channel_id)
    )
    return {row.channel_id: {k: v for k, v in row._mapping.items() if k != "channel_id"} for row in rows}  # noqa: SLF001 - SQLAlchemy's public name


def topics(t: Transaction) -> dict[str, dict[str, Any]]:
    """Return for each topic that ever matched how many articles did, and when the last one did."""
    # Two steps, each in the order of an index: to count what is distinct in one takes four times as long.
    each = (
        select(match.c.topic_id, func.max(match.c.matched_at).label("last"))
        .group_by(match.c.topic_id, match.c.article_id)
        .subquery()
    )
    rows = t.execute(select(each.c.topic_id, func.count(), func.max(each.c.last)).group_by(each.c.topic_id))
    return {row[0]: {"matches": row[1], "last_match_at": row[2]} for row in rows}


def dead_count(t: Transaction) -> int:
    """Return the number of dead letters that were not given back."""
    return t.execute(select(func.count()).select_from(dead).where(dead.c.redriven_at.is_(None))).scalar_one()


def counts(t: Transaction) -> dict[str, int]:
    """Return the number of rows of each kind that a replay reports."""
    tables = {"entries": entry, "articles": article, "stories": story_table, "alerts": alert}
    found = {name: t.execute(select(func.count()).select_from(table)).scalar_one() for name, table in tables.items()}
    found["matches"] = t.execute(select(func.count()).select_from(match)).scalar_one()
    return found


def matched_pages(t: Transaction) -> set[str]:
    """Return the addresses of the articles that a topic has matched."""
    return set(t.execute(select(article.c.url).join(match, match.c.article_id == article.c.id)).scalars())
