"""The archive from its newest end: what was read of late, for those who try something on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from worker.ledger.article_rows import article_from_row
from worker.ledger.engine import Transaction
from worker.ledger.tables import article
from worker.model import Article

#: Articles in one portion: their texts are in memory together.
PORTION = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Some articles, the one read last first."""

    articles: tuple[Article, ...]
    #: Where the next portion goes on; ``None`` after the last one.
    after: tuple[datetime, str] | None


def articles(
    t: Transaction, *, since: datetime, after: tuple[datetime, str] | None = None, size: int = PORTION
) -> Portion:
    """Return the articles that were read ``since`` a time, the last one first: the portion that follows ``after``.

    Portions are asked for one by one, so that no transaction is open while somebody thinks about an article.
    """
    query = select(article).where(article.c.read_at >= since)
    if after is not None:
        at, name = after
        # The first condition lets the index be walked; a comparison of pairs would bind the time as it is.
        query = query.where(article.c.read_at <= at, (article.c.read_at < at) | (article.c.id < name))
    rows = t.execute(query.order_by(article.c.read_at.desc(), article.c.id.desc()).limit(size)).all()
    found = tuple(article_from_row(row) for row in rows)
    return Portion(articles=found, after=(rows[-1].read_at, rows[-1].id) if len(rows) == size else None)


def count(t: Transaction, *, since: datetime, most: int) -> int:
    """Return how many articles were read ``since`` a time, but no more than ``most``."""
    found = select(article.c.id).where(article.c.read_at >= since).limit(most).subquery()
    return t.execute(select(func.count()).select_from(found)).scalar_one()


def last(t: Transaction) -> datetime | None:
    """Return when an article was last read; ``None`` when there is none."""
    return t.execute(select(article.c.read_at).order_by(article.c.read_at.desc()).limit(1)).scalar()
