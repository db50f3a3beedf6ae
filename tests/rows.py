"""Builders of what the ledger is given; apart from the others, because the ledger is dear to import."""

from __future__ import annotations

from worker.feeds.identity import fingerprint, title_key
from worker.ledger.entries import NewEntry
from worker.model import Entry, Reason


def new(*entries: Entry, reason: Reason = Reason.QUEUED) -> list[NewEntry]:
    """Return entries as the poll stage records them."""
    return [NewEntry(entry=e, title_key=title_key(e), fingerprint=fingerprint(e), reason=reason) for e in entries]
