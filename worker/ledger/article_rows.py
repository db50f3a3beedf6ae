"""An article as a row of the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from worker.model import Article, Reason


def article_from_row(row: Row[Any]) -> Article:
    """Return the article of a row of ``article``."""
    return Article(
        id=row.id,
        url=row.url,
        page=row.page,
        title=row.title,
        text=row.text,
        outlet=row.outlet,
        published_at=row.published_at,
        language=row.language,
        source=Reason(row.source),
    )
