"""Erasing what is older than the ledger is to remember."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, delete, exists, func, select, true, type_coerce

from worker.ledger import lengths, postings, tallies
from worker.ledger.engine import Transaction
from worker.ledger.retention import Retention
from worker.ledger.snapshots import KEPT
from worker.ledger.tables import (
    GATHERED,
    OPEN,
    Span,
    alert,
    alias,
    article,
    channel,
    dead,
    decision,
    delivery,
    entry,
    feed,
    match,
    member,
    posting,
    progress,
    silence,
    snapshot,
    story,
)

#: The poll stage notes that an entry is still shown when that was noted longer ago than half of this.
STILL_SHOWN = timedelta(days=14)
#: Rows a table and transaction, so that nobody waits long for the write lock.
_BATCH = 1000
#: Articles a transaction: each has some two dozen postings.
_ARTICLES = 250


def sweep(t: Transaction, retention: Retention, *, now: datetime) -> dict[str, int]:
    """Erase what is older than ``retention`` allows, at most ``_BATCH`` rows a table, and return how many went.

    Work that is open is never erased, nor are the articles that open alerts speak of. Of configurations the last
    ``KEPT`` stay, and of progress what was noted within the retention of dead letters.
    """
    # What a feed showed when it was last parsed is remembered however old it is: forgotten, it would be news again.
    parsed_at = select(type_coerce(feed.c.parsed_at, BigInteger)).where(feed.c.id == entry.c.feed_id).scalar_subquery()
    shown_since = parsed_at - type_coerce(STILL_SHOWN, Span)
    old_entries = (entry.c.seen_at < now - retention.seen) & (entry.c.work != OPEN)
    old_entries &= func.coalesce(type_coerce(entry.c.seen_at, BigInteger) < shown_since, true())
    return {
        **_erase_articles(t, before=now - retention.articles),
        "posting": _erase_postings(t, before=now - postings.KEPT),
        "entry": _erase_entries(t, old_entries),
        "alert": _erase(t, alert, (alert.c.created_at < now - retention.alerts) & (alert.c.work != OPEN), alert.c.id),
        "delivery": _erase(t, delivery, delivery.c.at < now - retention.alerts, delivery.c.id),
        "decision": _erase(t, decision, decision.c.at < now - retention.alerts, decision.c.article_id),
        "dead": _erase(t, dead, dead.c.dead_at < now - retention.dead, dead.c.id),
        "story": _erase(t, story, _told_no_more(), story.c.id),
        "silence": _erase(t, silence, silence.c.ends_at < now - retention.alerts, silence.c.id),
        "channel": _erase(t, channel, _takes_all(before=now - retention.dead), channel.c.id),
        "snapshot": _erase(t, snapshot, snapshot.c.generation <= _superseded(), snapshot.c.generation),
        "length": lengths.forget(t, now=now),
        "tally": tallies.fold(t, now=now),
        "progress": _erase(t, progress, progress.c.at < now - retention.dead, progress.c.name),
    }


def _erase_articles(t: Transaction, *, before: datetime) -> dict[str, int]:
    """Erase articles with all that was made of their texts."""
    waiting = select(alert.c.article_id).where(alert.c.work.in_((OPEN, GATHERED)))
    old = (article.c.read_at < before) & article.c.id.not_in(waiting)
    ids = list(t.execute(select(article.c.id).where(old).order_by(article.c.read_at).limit(_ARTICLES)).scalars())
    _erase_those(t, posting, posting.c.article_id, ids)
    return {
        "match": _erase_those(t, match, match.c.article_id, ids),
        "member": _erase_those(t, member, member.c.article_id, ids),
        "article": _erase_those(t, article, article.c.id, ids),
    }


def _erase_postings(t: Transaction, *, before: datetime) -> int:
    """Erase the postings of articles that were published before, whenever they were read."""
    ids = list(t.execute(select(posting.c.article_id).where(posting.c.at < before).limit(_BATCH)).scalars())
    return _erase_those(t, posting, posting.c.article_id, list(set(ids)))


def _told_no_more() -> ColumnElement[bool]:
    """Return the condition that a story has no article any more, and that nobody is led by it to another one."""
    of, into = member.alias(), story.alias()
    empty = ~exists().where(of.c.story_id == story.c.id)
    leads = exists().where(into.c.id == story.c.merged) | exists().where(alert.c.story_id == story.c.merged)
    return empty & ~leads


def _takes_all(*, before: datetime) -> ColumnElement[bool]:
    """Return the condition that nothing has stood in a channel's way since ``before``."""
    return channel.c.disabled_at.is_(None) & (channel.c.hold_until < before)


def _superseded() -> Any:  # noqa: ANN401 - SQLAlchemy's scalar subquery
    """Return the newest generation that is not kept; ``NULL`` when all are."""
    newest_first = select(snapshot.c.generation).order_by(snapshot.c.generation.desc())
    return newest_first.offset(KEPT).limit(1).scalar_subquery()


def _erase_entries(t: Transaction, condition: Any) -> int:  # noqa: ANN401 - SQLAlchemy's condition
    ids = list(t.execute(select(entry.c.id).where(condition).limit(_BATCH)).scalars())
    t.execute(delete(alias).where(alias.c.entry_id.in_(ids)))
    return int(t.execute(delete(entry).where(entry.c.id.in_(ids))).rowcount)


def _erase_those(t: Transaction, table: Any, key: Any, ids: Sequence[str]) -> int:  # noqa: ANN401 - the same
    return int(t.execute(delete(table).where(key.in_(ids))).rowcount)


def _erase(t: Transaction, table: Any, condition: Any, key: Any) -> int:  # noqa: ANN401 - any table and its key
    batch = select(key).where(condition).limit(_BATCH)
    return int(t.execute(delete(table).where(key.in_(batch.scalar_subquery()))).rowcount)
