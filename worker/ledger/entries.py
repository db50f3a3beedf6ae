"""Entries and articles in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, Claim, claim_rows, write_back
from worker.ledger.tables import DONE, OPEN, article, entry, match
from worker.model import Article, Entry, Evidence, Match, Reason
from worker.url import canonical


def add(t: Transaction, entries: Iterable[Entry], *, now: datetime, reason: Reason) -> list[Entry]:
    """Record entries that were not known and return those, in the order given.

    With ``Reason.QUEUED`` they are due now; with any other reason (``baseline``) they are known and done.
    """
    return [e for e in entries if _add(t, e, now=now, reason=reason)]


def _add(t: Transaction, e: Entry, *, now: datetime, reason: Reason) -> bool:
    values = {
        "feed_id": e.feed_id,
        "key": e.key,
        "url": e.url,
        "page": canonical(e.url),
        "title": e.title,
        "text": e.text,
        "outlet": e.outlet,
        "language": e.language,
        "published_at": e.published_at,
        "first_seen_at": now,
        "work": OPEN if reason is Reason.QUEUED else DONE,
        "reason": reason,
        "detail": "",
        "due_at": now,
    }
    return t.execute(insert_new(t, entry, values)).rowcount == 1


def insert_new(t: Transaction, table: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a dialect's own insert
    """Return an INSERT that does nothing when a unique key is taken; its ``rowcount`` tells."""
    dialect = postgresql if t.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).values(**values).on_conflict_do_nothing()


def known_keys(t: Transaction, feed_id: str, keys: Sequence[str]) -> set[str]:
    """Return those of ``keys`` that the feed has shown before."""
    found = t.execute(select(entry.c.key).where(entry.c.feed_id == feed_id, entry.c.key.in_(keys)))
    return set(found.scalars())


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[tuple[Entry, datetime]]]:
    """Return at most ``limit`` entries that are due, claimed for ``LEASE``, each with the time it was first seen."""
    rows = claim_rows(t, entry, now=now, limit=limit, lease=LEASE)
    return [Claim(id=r.id, token=r.lease_token, attempt=r.attempt, value=(_entry(r), r.first_seen_at)) for r in rows]


def finish(
    t: Transaction, claimed: Claim[Any], *, reason: Reason, detail: str = "", article_id: str | None = None
) -> None:
    """Mark an entry as read, with the reason of its end.

    Raises:
        LeaseLost: another worker has claimed the entry meanwhile.
    """
    write_back(t, entry, claimed, work=DONE, reason=reason, detail=detail, article_id=article_id, last_error=None)


def retry(t: Transaction, claimed: Claim[Any], *, due_at: datetime, error: str) -> None:
    """Have the entry tried again at ``due_at``.

    Raises:
        LeaseLost: another worker has claimed the entry meanwhile.
    """
    write_back(t, entry, claimed, due_at=due_at, reason=Reason.RETRY, last_error=error)


def add_article(t: Transaction, a: Article, *, now: datetime) -> bool:
    """Record an article; ``False`` when it was known, which means that another entry led to the same page."""
    values = {
        "id": a.id,
        "url": a.url,
        "title": a.title,
        "text": a.text,
        "outlet": a.outlet,
        "language": a.language,
        "published_at": a.published_at,
        "read_at": now,
        "source": a.source,
    }
    return bool(t.execute(insert_new(t, article, values)).rowcount == 1)


def get_article(t: Transaction, article_id: str) -> Article | None:
    """Return the article with this id, if it is still kept."""
    row = t.execute(select(article).where(article.c.id == article_id)).one_or_none()
    return None if row is None else _article(row)


def add_match(t: Transaction, m: Match, *, now: datetime) -> None:
    """Record a match; a second time for the same article, topic and topic version changes nothing."""
    values = {
        "article_id": m.article_id,
        "topic_id": m.topic_id,
        "topic_version": m.topic_version,
        "score": m.score,
        "by": m.by,
        "clause": m.clause,
        "evidence": evidence_to_json(m.evidence),
        "matched_at": now,
    }
    t.execute(insert_new(t, match, values))


def find(t: Transaction, ref: str) -> list[Row[Any]]:
    """Return the entry rows that ``ref`` names: a URL in any form, an article's id, or an entry's key."""
    named = or_(entry.c.page == canonical(ref), entry.c.url == ref, entry.c.article_id == ref, entry.c.key == ref)
    return list(t.execute(select(entry).where(named).order_by(entry.c.id)).all())


def evidence_to_json(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Return evidence as JSON values."""
    return [{"field": e.field, "start": e.start, "end": e.end, "text": e.text} for e in evidence]


def evidence_from_json(values: Iterable[dict[str, Any]]) -> tuple[Evidence, ...]:
    """Return what ``evidence_to_json`` was given."""
    return tuple(Evidence(**value) for value in values)


def reopen(t: Transaction, entry_id: int, *, now: datetime) -> bool:
    """Have an entry tried again from its first attempt; ``False`` when there is no such entry."""
    changed = t.execute(
        update(entry)
        .where(entry.c.id == entry_id)
        .values(work=OPEN, reason=Reason.QUEUED, due_at=now, attempt=0, lease_until=None, lease_token=None)
    )
    return changed.rowcount == 1


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        feed_id=row.feed_id,
        key=row.key,
        url=row.url,
        title=row.title,
        text=row.text,
        outlet=row.outlet,
        published_at=row.published_at,
        language=row.language,
    )


def _article(row: Row[Any]) -> Article:
    return Article(
        id=row.id,
        url=row.url,
        title=row.title,
        text=row.text,
        outlet=row.outlet,
        published_at=row.published_at,
        language=row.language,
        source=Reason(row.source),
    )
