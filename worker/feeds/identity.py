"""Which entries of a document are new, which the feed has shown before, and which of those have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.feeds.titles import normal_title
from worker.model import Entry, KnownEntry

#: Entries; so many with new identities and known titles at once are the same ones under new names. Those that are
#: dated after the last poll count only in a larger crowd: titles such as "Morning briefing" do come back.
_CROWD, _FRESH_CROWD = 3, 5
#: Entries; when so many, and more than half of what is known, change at once, the feed has a new form and no new facts.
_NEW_FORM = 5
#: Times that an entry is read again when its text has changed, and when its title has: "12 comments" changes for ever.
_TEXT_EDITS, _TITLE_EDITS = 5, 20
#: Characters of an entry's text that its fingerprint covers.
_FINGERPRINTED = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A known entry that says something else than before."""

    entry: Entry
    known: KnownEntry
    #: Whether it is to be read once more.
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The entries of a document, held against what is remembered of the feed."""

    #: With none of their identities known, in the document's order.
    unknown: tuple[Entry, ...]
    #: Known entries whose title or text has changed.
    changed: tuple[Change, ...]
    #: Known entries with the identities under which the document shows them.
    shown: tuple[tuple[KnownEntry, tuple[str, ...]], ...]


def sort_out(entries: Sequence[Entry], known: Mapping[str, KnownEntry]) -> Sorted:
    """Return ``entries`` as new or known; ``known`` holds what is remembered, by identity.

    The first identity of an entry that is known decides: its guid before its link, its link before its title.
    """
    unknown: list[Entry] = []
    shown: dict[int, tuple[KnownEntry, tuple[str, ...]]] = {}
    changes: list[Change] = []
    for entry in entries:
        found = next((known[key] for key in identities(entry) if key in known), None)
        if found is None:
            unknown.append(entry)
        elif found.id not in shown:
            shown[found.id] = found, identities(entry)
            if found.fingerprint != fingerprint(entry):
                changes.append(Change(entry=entry, known=found, again=_is_edit(entry, found)))
    edits = sum(change.again for change in changes)
    if edits >= _NEW_FORM and edits * 2 > len(shown):
        changes = [Change(entry=c.entry, known=c.known, again=False) for c in changes]
    return Sorted(unknown=tuple(unknown), changed=tuple(changes), shown=tuple(shown.values()))


def _is_edit(entry: Entry, found: KnownEntry) -> bool:
    if not found.fingerprint:  # recorded by a version that did not look at it
        return False
    return found.edits < (_TITLE_EDITS if found.title_key != title_key(entry) else _TEXT_EDITS)


def rekeyed(unknown: Sequence[Entry], titles: Mapping[str, int], *, last_seen: datetime | None) -> dict[str, int]:
    """Return those of the ``unknown`` entries that are old ones under new identities: ids of the old ones, by key.

    A publisher who changes his system gives every entry a new guid and a new address; to alert on them again would be
    wrong many times at once. So a crowd of entries with new identities and known ``titles`` (ids by title key), which
    makes at least half of what is new, is taken for what it was. ``last_seen`` is when the feed was last read.
    """
    familiar = [entry for entry in unknown if title_key(entry) in titles]
    stale = [entry for entry in familiar if not _is_after(entry, last_seen)]
    crowd = len(stale) >= _CROWD or len(familiar) >= _FRESH_CROWD
    if not crowd or len(familiar) * 2 < len(unknown):
        return {}
    chosen = familiar if len(familiar) >= _FRESH_CROWD else stale
    return {entry.key: titles[title_key(entry)] for entry in chosen}


def _is_after(entry: Entry, moment: datetime | None) -> bool:
    return moment is not None and entry.published_at is not None and entry.published_at > moment


def identities(entry: Entry) -> tuple[str, ...]:
    """Return every identity under which the feed may show the entry again."""
    return entry.aliases or (entry.key,)


def title_key(entry: Entry) -> str:
    """Return a hash of the entry's folded title; empty when it has none."""
    folded = normal_title(entry.title)
    return _digest(folded)[:16] if folded else ""


def fingerprint(entry: Entry) -> str:
    """Return a hash that changes when the entry's title or text does."""
    return _digest(f"{normal_title(entry.title)}\n{' '.join(entry.text.split())[:_FINGERPRINTED]}")[:24]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
