"""Entries and articles in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Text, bindparam, func, or_, select, update

from worker.ledger import leases, tallies
from worker.ledger.article_rows import article_from_row
from worker.ledger.engine import Transaction
from worker.ledger.inserts import adding_new, insert_new, insert_new_all
from worker.ledger.leases import LEASE, Claim, claim_rows, is_in_hand, write_back_all
from worker.ledger.ready import Among, Ready
from worker.ledger.tables import DONE, OPEN, alias, article, entry, match
from worker.model import Article, Entry, Evidence, KnownEntry, Match, Reason
from worker.url import canonical

#: The part of a claim that is taken from the newest rows while there are more than it can take.
FRESH = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry that was not known, and what is to become of it."""

    entry: Entry
    title_key: str
    fingerprint: str
    #: ``Reason.QUEUED``: it is due now. With any other reason (``baseline``) it is known and done.
    reason: Reason


def add(t: Transaction, new: Sequence[NewEntry], *, now: datetime) -> list[Entry]:
    """Record entries that were not known and return those that were recorded, in the order given.

    One that another worker has recorded meanwhile is left out.
    """
    if not new:
        return []
    found = insert_new_all(t, entry, [_row(one, now) for one in new], and_return=("feed_id", "key"))
    ids = {(row.feed_id, row.key): row.id for row in found}
    added = [one for one in new if (one.entry.feed_id, one.entry.key) in ids]
    for one in added:
        if one.reason is Reason.QUEUED:
            tallies.count(t, tallies.ENTRIES, one.entry.feed_id, now=now)
    recorded = [one.entry for one in added]
    _add_aliases(t, [(e.feed_id, key, ids[e.feed_id, e.key]) for e in recorded for key in (*e.aliases, e.key)])
    return recorded


def _row(one: NewEntry, now: datetime) -> dict[str, Any]:
    e = one.entry
    return {
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
        "seen_at": now,
        "title_key": one.title_key,
        "fingerprint": one.fingerprint,
        "work": OPEN if one.reason is Reason.QUEUED else DONE,
        "reason": one.reason,
        "detail": "",
        "due_at": now,
    }


def add_aliases(t: Transaction, feed_id: str, keys: Mapping[str, int]) -> None:
    """Record identities under which the feed has shown entries, given by id; those that are taken stay as they are."""
    _add_aliases(t, [(feed_id, key, entry_id) for key, entry_id in keys.items()])


def _add_aliases(t: Transaction, found: Iterable[tuple[str, str, int]]) -> None:
    rows = [{"feed_id": feed_id, "key": key, "entry_id": entry_id} for feed_id, key, entry_id in dict.fromkeys(found)]
    if rows:
        adding_new(alias, "feed_id", "key", "entry_id").run_all(t, rows)


def known(t: Transaction, feed_id: str, keys: Iterable[str]) -> dict[str, KnownEntry]:
    """Return what is remembered of the feed's entries, by those of ``keys`` under which it has shown them."""
    return {
        row.key: KnownEntry(
            id=row.id, title_key=row.title_key, fingerprint=row.fingerprint, edits=row.edits, seen_at=row.seen_at
        )
        for row in _KNOWN.all(t, list(dict.fromkeys(keys)), {"feed": feed_id})
    }


_KNOWN = Among(
    lambda keys: (
        select(alias.c.key, entry.c.id, entry.c.title_key, entry.c.fingerprint, entry.c.edits, entry.c.seen_at)
        .join(entry, entry.c.id == alias.c.entry_id)
        .where(alias.c.feed_id == bindparam("feed"), alias.c.key.in_(keys))
    ),
    Text,
)


def known_of(t: Transaction, feed_id: str) -> dict[str, KnownEntry]:
    """Return all that is remembered of a feed's entries, by identity."""
    keys = t.execute(select(alias.c.key).where(alias.c.feed_id == feed_id)).scalars()
    return known(t, feed_id, keys)


def known_titles(t: Transaction, feed_id: str, title_keys: Iterable[str]) -> dict[str, int]:
    """Return the ids of the feed's newest entries with these titles."""
    wanted = list(dict.fromkeys(key for key in title_keys if key))
    return {row[0]: row[1] for row in _KNOWN_TITLES.all(t, wanted, {"feed": feed_id})}


_KNOWN_TITLES = Among(
    lambda keys: (
        select(entry.c.title_key, func.max(entry.c.id))
        .where(entry.c.feed_id == bindparam("feed"), entry.c.title_key.in_(keys))
        .group_by(entry.c.title_key)
    ),
    Text,
)


def still_shown(t: Transaction, ids: Iterable[int], *, now: datetime) -> None:
    """Note that a feed still shows these entries, so that they are not forgotten."""
    for some in _portions(list(ids)):
        t.execute(update(entry).where(entry.c.id.in_(some)).values(seen_at=now))


def change(
    t: Transaction, entry_id: int, e: Entry, *, title_key: str, fingerprint: str, again: bool, now: datetime
) -> None:
    """Record that an entry has another title or text. With ``again`` it is due now, to be read once more."""
    values: dict[str, Any] = {"title_key": title_key, "fingerprint": fingerprint, "seen_at": now}
    values |= {"title": e.title, "text": e.text}
    if again:
        # Whoever has it in hand has read what it was, and loses it: it is read as it is now.
        values |= {"work": OPEN, "reason": Reason.EDITED, "due_at": now, "attempt": 0, "edits": entry.c.edits + 1}
        values |= {"lease_until": None, "lease_token": None}
    t.execute(update(entry).where(entry.c.id == entry_id).values(**values))


def _portions(values: list[Any], size: int = 500) -> Iterator[list[Any]]:
    # SQLite has at most 32,766 parameters a statement, and long lists are compiled anew for each length.
    for start in range(0, len(values), size):
        yield values[start : start + size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An entry that is to be read."""

    entry: Entry
    first_seen_at: datetime
    #: Whether it was read before: it has changed since, or somebody wants it read again.
    again: bool = False


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[Due]]:
    """Return at most ``limit`` entries that are due, claimed for ``LEASE``.

    While more are due than ``limit``, some of them are the newest: what has just come in is read at once, however long
    it takes to work off what is old.
    """
    rows = claim_rows(t, entry, now=now, limit=limit, lease=LEASE, fresh=FRESH)
    return [Claim(id=r.id, token=r.lease_token, attempt=r.attempt, value=_due(r)) for r in rows]


def release(t: Transaction, claims: Iterable[tuple[Claim[Due], datetime]]) -> None:
    """Give claims back unread, each due at its time."""
    leases.release(t, entry, claims)


def pages_in_hand(t: Transaction, mine: Sequence[int]) -> set[str]:
    """Return the pages that are being read for entries other than ``mine``, in their canonical form."""
    own = set(mine)
    return {row.page for row in _IN_HAND.all(t, {}) if row.id not in own}


_IN_HAND = Ready(lambda _: select(entry.c.id, entry.c.page).where(is_in_hand(entry)))


def note_article(t: Transaction, entry_id: int, article_id: str) -> None:
    """Record which article an entry has led to."""
    t.execute(update(entry).where(entry.c.id == entry_id).values(article_id=article_id))


def _due(row: Row[Any]) -> Due:
    return Due(entry=_entry(row), first_seen_at=row.first_seen_at, again=row.edits > 0 or row.article_id is not None)


def finish(
    t: Transaction, claimed: Claim[Any], *, reason: Reason, detail: str = "", article_id: str | None = None
) -> None:
    """Mark an entry as read, with the reason of its end.

    Raises:
        LeaseLost: another worker has claimed the entry meanwhile.
    """
    finish_all(t, [End(claim=claimed, reason=reason, detail=detail, article_id=article_id)])


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of an entry that was read: why, and the article that it has led to."""

    claim: Claim[Any]
    reason: Reason
    detail: str = ""
    article_id: str | None = None


def finish_all(t: Transaction, ends: Iterable[End]) -> None:
    """Mark entries as read, as ``finish`` does with one.

    Raises:
        LeaseLost: another worker has claimed one of them meanwhile; roll back all.
    """
    write_back_all(t, entry, [(end.claim, _end_row(end)) for end in ends])


def _end_row(end: End) -> dict[str, Any]:
    kept = {"reason": end.reason, "detail": end.detail, "article_id": end.article_id}
    return {"work": DONE, "last_error": None, **kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """An entry that is to be tried again, when, and what kept it from being read."""

    claim: Claim[Any]
    due_at: datetime
    error: str


def retry_all(t: Transaction, late: Iterable[Later]) -> None:
    """Have entries tried again.

    Raises:
        LeaseLost: another worker has claimed one of them meanwhile; roll back all.
    """
    wanted = [(one.claim, {"due_at": one.due_at, "reason": Reason.RETRY, "last_error": one.error}) for one in late]
    write_back_all(t, entry, wanted)


def add_article(t: Transaction, a: Article, *, now: datetime) -> bool:
    """Record an article; ``False`` when it was known, which means that another entry led to the same page."""
    return bool(add_articles(t, [a], now=now))


def add_articles(t: Transaction, articles: Iterable[Article], *, now: datetime) -> set[str]:
    """Record articles, no two of them with one id, and return the ids of those that were not known."""
    # In one order, so that no two transactions wait for each other.
    rows = [_article_row(a, now) for a in sorted(articles, key=attrgetter("id"))]
    return {row.id for row in insert_new_all(t, article, rows)}


def _article_row(a: Article, now: datetime) -> dict[str, Any]:
    return {
        "id": a.id,
        "url": a.url,
        "page": a.page,
        "title": a.title,
        "text": a.text,
        "outlet": a.outlet,
        "language": a.language,
        "published_at": a.published_at,
        "read_at": now,
        "source": a.source,
    }


def change_article(t: Transaction, a: Article, *, now: datetime) -> None:
    """Replace what was read of an article by what it says now."""
    values = {"title": a.title, "text": a.text, "language": a.language, "source": a.source, "page": a.page}
    t.execute(update(article).where(article.c.id == a.id).values(**values, read_at=now))


def articles_at(t: Transaction, pages: Iterable[str]) -> dict[str, str]:
    """Return the ids of the articles that were read from pages, by the canonical form of those."""
    # Where several are, any of them.
    return {row.page: row.id for row in _ARTICLES_AT.all(t, list(pages))}


_ARTICLES_AT = Among(lambda pages: select(article.c.page, article.c.id).where(article.c.page.in_(pages)), Text)


def known_articles(t: Transaction, ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that are articles."""
    return {row.id for row in _KNOWN_ARTICLES.all(t, list(ids))}


_KNOWN_ARTICLES = Among(lambda ids: select(article.c.id).where(article.c.id.in_(ids)), Text)


def matched_topics(t: Transaction, article_id: str) -> set[str]:
    """Return the topics that an article has ever matched."""
    return set(t.execute(select(match.c.topic_id).where(match.c.article_id == article_id)).scalars())


def get_article(t: Transaction, article_id: str) -> Article | None:
    """Return the article with this id, if it is still kept."""
    row = t.execute(_article(), {"id": article_id}).one_or_none()
    return None if row is None else article_from_row(row)


@cache
def _article() -> Any:  # noqa: ANN401 - a SELECT
    return select(article).where(article.c.id == bindparam("id"))


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
    if insert_new(t, match, values):
        tallies.count(t, tallies.MATCHES, m.topic_id, m.by, now=now)


def times(t: Transaction, article_id: str) -> tuple[datetime, datetime | None] | None:
    """Return when an article was published, and when a poll has first found it; ``None`` when it is kept no longer."""
    row = t.execute(_times(), {"id": article_id}).one_or_none()
    return None if row is None else (row[0], row[1])


@cache
def _times() -> Any:  # noqa: ANN401 - a SELECT
    found = select(func.min(entry.c.first_seen_at)).where(entry.c.article_id == article.c.id).scalar_subquery()
    return select(article.c.published_at, found).where(article.c.id == bindparam("id"))


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


def match_from_row(row: Row[Any]) -> Match:
    """Return the match of a row of ``match``."""
    return Match(
        article_id=row.article_id,
        topic_id=row.topic_id,
        topic_version=row.topic_version,
        reason=Reason.MATCHED,
        score=row.score,
        by=row.by,
        evidence=evidence_from_json(row.evidence),
        clause=row.clause,
    )


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
