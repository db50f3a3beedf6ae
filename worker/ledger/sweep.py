"""Erasing what is older than the ledger is to remember."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, delete, func, select, true, type_coerce

from worker.ledger.engine import Transaction
from worker.ledger.retention import Retention
from worker.ledger.snapshots import KEPT
from worker.ledger.tables import (
    OPEN,
    Span,
    alert,
    alias,
    article,
    dead,
    decision,
    delivery,
    entry,
    feed,
    match,
    member,
    progress,
    snapshot,
    story,
)

#: The poll stage notes that an entry is still shown when that was noted longer ago than half of this.
STILL_SHOWN = timedelta(days=14)
#: Rows a table and transaction, so that nobody waits long for the write lock.
_BATCH = 1000


def sweep(t: Transaction, retention: Retention, *, now: datetime) -> dict[str, int]:
    """Erase what is older than ``retention`` allows, at most ``_BATCH`` rows a table, and return how many went.

    Work that is open is never erased, nor are the articles that open alerts speak of. Of configurations the last
    ``KEPT`` stay, and of progress what was noted within the retention of dead letters.
    """
    waiting = select(alert.c.article_id).where(alert.c.work == OPEN)
    old_articles = select(article.c.id).where(
        article.c.read_at < now - retention.articles, article.c.id.not_in(waiting)
    )
    # What a feed showed when it was last parsed is remembered however old it is: forgotten, it would be news again.
    parsed_at = select(type_coerce(feed.c.parsed_at, BigInteger)).where(feed.c.id == entry.c.feed_id).scalar_subquery()
    shown_since = parsed_at - type_coerce(STILL_SHOWN, Span)
    old_entries = (entry.c.seen_at < now - retention.seen) & (entry.c.work != OPEN)
    old_entries &= func.coalesce(type_coerce(entry.c.seen_at, BigInteger) < shown_since, true())
    erased = {
        "match": _erase(t, match, match.c.article_id.in_(old_articles), match.c.article_id),
        "member": _erase(t, member, member.c.article_id.in_(old_articles), member.c.article_id),
        "article": _erase(t, article, article.c.id.in_(old_articles), article.c.id),
        "entry": _erase_entries(t, old_entries),
        "alert": _erase(t, alert, (alert.c.created_at < now - retention.alerts) & (alert.c.work != OPEN), alert.c.id),
        "delivery": _erase(t, delivery, delivery.c.at < now - retention.alerts, delivery.c.id),
        "decision": _erase(t, decision, decision.c.at < now - retention.alerts, decision.c.article_id),
        "dead": _erase(t, dead, dead.c.dead_at < now - retention.dead, dead.c.id),
    }
    empty = ~select(member.c.story_id).where(member.c.story_id == story.c.id).exists()
    erased["story"] = _erase(t, story, empty, story.c.id)
    erased["snapshot"] = _erase(t, snapshot, snapshot.c.generation <= _superseded(), snapshot.c.generation)
    erased["progress"] = _erase(t, progress, progress.c.at < now - retention.dead, progress.c.name)
    return erased


def _superseded() -> Any:  # noqa: ANN401 - SQLAlchemy's scalar subquery
    """Return the newest generation that is not kept; ``NULL`` when all are."""
    newest_first = select(snapshot.c.generation).order_by(snapshot.c.generation.desc())
    return newest_first.offset(KEPT).limit(1).scalar_subquery()


def _erase_entries(t: Transaction, condition: Any) -> int:  # noqa: ANN401 - SQLAlchemy's condition
    ids = list(t.execute(select(entry.c.id).where(condition).limit(_BATCH)).scalars())
    t.execute(delete(alias).where(alias.c.entry_id.in_(ids)))
    return int(t.execute(delete(entry).where(entry.c.id.in_(ids))).rowcount)


def _erase(t: Transaction, table: Any, condition: Any, key: Any) -> int:  # noqa: ANN401 - any table and its key
    batch = select(key).where(condition).limit(_BATCH)
    return int(t.execute(delete(table).where(key.in_(batch.scalar_subquery()))).rowcount)
