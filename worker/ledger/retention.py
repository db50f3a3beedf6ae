"""How long the ledger remembers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Spans after which rows are erased, counted from when they were made."""

    #: Texts of articles, with their matches and stories' features.
    articles: timedelta = timedelta(days=30)
    #: Identities of entries; feeds list old items again, so this is much longer.
    seen: timedelta = timedelta(days=180)
    alerts: timedelta = timedelta(days=365)
    dead: timedelta = timedelta(days=90)
