"""The items of a feed document, whatever its format, as entries with their identities."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from worker.feeds.titles import normal_title
from worker.model import Entry, Feed
from worker.url import absolute, canonical

#: Characters of a guid, an address, a title or a name; no honest one is as long.
FIELD_MAX = 2048
#: Items from which on an identity that they share is taken for none.
_CROWD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item as its document shows it: texts are plain, addresses as they were written."""

    guid: str = ""
    link: str = ""
    title: str = ""
    text: str = ""
    #: The outlet that the item itself names, as those of aggregators do.
    outlet: str = ""
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """An item with its possible identities; empty for those that it has not."""

    item: Item
    url: str
    guid: str
    link: str


def entries(items: Iterable[Item], *, feed: Feed, home: str, language: str | None) -> tuple[Entry, ...]:
    """Return the entries of a document, oldest first and undated ones last.

    ``items`` are in the order of the document, which by custom begins with the newest. ``home`` is the page that the
    channel as a whole links to; empty when unknown. Items with one key are one entry, and the newest wins.

    A guid that three or more items with different links share identifies nothing. Neither does a link for an item
    without guid, when it is the site's root or home, or when three or more of them with different titles share it.
    """
    homes = {canonical(home)} if home else set()
    keyed = _keyed([known for item in items if (known := _known(item, feed))], homes)
    links = Counter(known.link for known in keyed.values())
    titles = Counter(_title_alias(known.item) for known in keyed.values())
    made: list[Entry] = []
    # The custom is newest first, so that what has no date, or the same one, is put in order by turning it round.
    for key, known in reversed(keyed.items()):
        link = known.link if links[known.link] == 1 and not _is_home(known.link, homes) else ""
        title = _title_alias(known.item)
        aliases = (key, link, title if titles[title] == 1 else "")
        made.append(_entry(known, feed, key=key, aliases=aliases, language=language))
    return tuple(sorted(made, key=_age))


def identities(item: Item, feed: Feed) -> tuple[str, str, str]:
    """Return the guid, the address and the title of an item, in the forms in which they identify it; empty without."""
    known = _known(item, feed)
    return (known.guid, known.link, normal_title(item.title)) if known else ("", "", "")


def _keyed(known: list[_Known], homes: set[str]) -> dict[str, _Known]:
    """Return the items by their keys, in the order of the document."""
    barren_guids = _shared((k.guid, k.link) for k in known)
    barren_links = _shared((k.link, k.item.title) for k in known if not k.guid)
    keyed: dict[str, _Known] = {}
    for k in known:
        guid = "" if k.guid in barren_guids else k.guid
        vague = k.link in barren_links or _is_home(k.link, homes)
        key = guid or ("" if vague and k.item.title else k.link) or _title_key(k.item)
        keyed[key] = _newer(keyed.get(key), k)
    return keyed


def _known(item: Item, feed: Feed) -> _Known | None:
    url = absolute(feed.url, item.link[:FIELD_MAX])
    if not (url or item.title or item.text):
        return None
    guid = canonical(item.guid.strip()[:FIELD_MAX])
    return _Known(item=item, url=url, guid=guid, link=canonical(url) if url else "")


def _shared(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """Return the first parts that stand with three or more different second parts."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        if first and second:
            seen[first].add(second)
    return {first for first, seconds in seen.items() if len(seconds) >= _CROWD}


def _is_home(link: str, homes: set[str]) -> bool:
    parts = urlsplit(link)
    return link in homes or (parts.path in {"", "/"} and not parts.query and not parts.fragment)


def _newer(old: _Known | None, new: _Known) -> _Known:
    """Return the newer one of two items; without two dates, the one that came first in the document."""
    if old is None:
        return new
    before, after = old.item.published_at, new.item.published_at
    return new if before and after and after > before else old


def _title_key(item: Item) -> str:
    return _hashed(f"{item.title}\n{item.published_at}")


def _title_alias(item: Item) -> str:
    """Return the identity of a title at a moment; empty without either."""
    title = normal_title(item.title)
    return _hashed(f"{title}\n{item.published_at.isoformat()}") if title and item.published_at else ""


def _hashed(text: str) -> str:
    return "title:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _entry(known: _Known, feed: Feed, *, key: str, aliases: Sequence[str], language: str | None) -> Entry:
    return Entry(
        feed_id=feed.id,
        key=key,
        aliases=tuple(dict.fromkeys(alias for alias in aliases if alias)),
        url=known.url or feed.url,
        title=known.item.title,
        text=known.item.text,
        outlet=known.item.outlet or feed.outlet,
        published_at=known.item.published_at,
        language=language,
    )


def _age(entry: Entry) -> tuple[bool, datetime]:
    return (entry.published_at is None, entry.published_at or datetime.max.replace(tzinfo=UTC))
