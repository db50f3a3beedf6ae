"""Items that a document shows just as the last one did, which need not be parsed again.

A poll that finds something new finds one item in twenty, and to parse the other nineteen costs as much as to extract an
article. So a feed remembers of each item of its last document a hash of its source, and of its identities
(``FeedState.shown``). ``worker.feeds.document`` then reads a document without the items whose source it knows.

What a new item is called depends on its neighbours: a guid that several items share identifies none (``worker.feeds
.items``). So the shortcut is only taken where it cannot matter: few items are new, and no two items of the document
share a guid, an address or a title. It is an answer to cost alone: with and without it the same is found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Final

from worker.feeds.items import Item, identities
from worker.feeds.kinds import Root
from worker.model import Feed

#: Items of a document that is remembered, and new items up to which the rest is left out: below the crowds by which
#: ``worker.feeds.identity`` knows a feed that has changed its form or its identities.
_MOST, _MOST_NEW = 500, 4
_HASH: Final = 8
_NOTHING: Final = b"\0" * _HASH
#: Changes when older memories cannot be read or relied on any more.
_VERSION: Final = b"unchanged 1"
#: Formats whose items are elements of one name below the root or its channel.
_ITEM = {"rss": "item", "rdf": "item", "feed": "entry"}
#: What may hide the mark of an item, each to its end or not at all, and such marks.
_MARKS = re.compile(
    r"<!\[CDATA\[(?:.*?\]\]>)?|<!--(?:.*?-->)?|<\?(?:.*?\?>)?|<(/?)(item|entry)(?=[\s/>])[^<>]*>", re.DOTALL
)
_HIDERS = {"<![": "]]>", "<!-": "-->", "<?": "?>"}
_CHANNEL = re.compile(r"<(?:[\w.-]{1,100}:)?channel\b[^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A document in which every item stands for itself."""

    text: str
    #: Where each item begins and ends, in order.
    spans: tuple[tuple[int, int], ...]
    #: A hash of what items inherit: declarations, the tags around them, and where the feed is.
    context: bytes

    def hashes(self) -> list[bytes]:
        """Return a hash of the source of each item."""
        return [_hash(self.text[start:end]) for start, end in self.spans]

    def only(self, kept: Collection[int]) -> str:
        """Return the document without all items but those with these numbers."""
        edges = [0, *chain.from_iterable(self.spans), len(self.text)]
        between = [self.text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
        items = [self.text[start:end] if n in kept else "" for n, (start, end) in enumerate(self.spans)]
        return "".join(chain.from_iterable(zip(between, [*items, ""], strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A document without the items that are known."""

    text: str
    #: How many were left out.
    known: int
    #: What is remembered of each item that was left out, and ``None`` in the place of each other.
    marks: tuple[bytes | None, ...]


def part(text: str, root: Root, feed: Feed) -> Parted | None:
    """Return a document with its items told apart; ``None`` where that is not certain. Time is linear."""
    name = _ITEM.get(root.name)
    if name is None or root.junk or "<!ENTITY" in text[: root.at]:
        return None
    spans = _spans(text, root.at, name)
    if not spans or len(spans) > _MOST:
        return None
    head = text[root.at : spans[0][0]]
    channel = _CHANNEL.search(head)
    inherited = (text[: root.at], head[: head.find(">") + 1], channel[0] if channel else "", feed.url)
    return Parted(text=text, spans=tuple(spans), context=_hash("\0".join(inherited)))


def without_known(parted: Parted, shown: bytes) -> Rest | None:
    """Return what is left of a document whose items are known by ``shown``; ``None`` when it is to be read whole."""
    known = _remembered(shown, parted.context)
    if not known:
        return None
    marks = tuple(known.get(source) for source in parted.hashes())
    new = {n for n, mark in enumerate(marks) if mark is None}
    if len(new) > _MOST_NEW or len(new) == len(marks):
        return None
    return Rest(text=parted.only(new), known=len(marks) - len(new), marks=marks)


def remember(parted: Parted, items: Sequence[Item], feed: Feed) -> bytes:
    """Return what is to be remembered of a document that was read whole.

    It is empty when its items are not its elements, or two of them share an identity: then the order of all decides.
    """
    marks = [_mark(item, feed) for item in items]
    if len(marks) != len(parted.spans) or not _are_distinct(marks):
        return b""
    return _memory(parted, marks)


def remember_rest(parted: Parted, rest: Rest, items: Sequence[Item], feed: Feed) -> bytes | None:
    """Return what is to be remembered of a document of which ``rest`` was read.

    ``None`` says that it must be read whole after all: two items share an identity.
    """
    if len(items) != rest.marks.count(None):
        return None
    new = iter([_mark(item, feed) for item in items])
    marks = [mark or next(new) for mark in rest.marks]
    return _memory(parted, marks) if _are_distinct(marks) else None


def _spans(text: str, at: int, name: str) -> list[tuple[int, int]]:
    """Return where the items are; none unless each begins and ends before the next, and nothing hides a mark."""
    spans: list[tuple[int, int]] = []
    begun = None
    for mark in _MARKS.finditer(text, at):
        closes, element = mark.group(1, 2)
        if element is None:
            if not _ends(mark[0]):
                return []
        elif element == name:
            if (begun is None) is bool(closes) or mark[0].endswith("/>"):
                return []
            if begun is not None:
                spans.append((begun, mark.end()))
            begun = None if closes else mark.start()
    return spans if begun is None else []


def _are_distinct(marks: Iterable[bytes]) -> bool:
    named = list(chain.from_iterable(map(_identities, marks)))
    return len(named) == len(set(named))


def _ends(hider: str) -> bool:
    return next(hider.endswith(end) for begin, end in _HIDERS.items() if hider.startswith(begin))


def _memory(parted: Parted, marks: Iterable[bytes]) -> bytes:
    return parted.context + b"".join(chain.from_iterable(zip(parted.hashes(), marks, strict=True)))


def _remembered(shown: bytes, context: bytes) -> dict[bytes, bytes]:
    """Return the marks of items by the hashes of their sources."""
    if shown[:_HASH] != context:
        return {}
    size = 4 * _HASH
    return {shown[n : n + _HASH]: shown[n + _HASH : n + size] for n in range(_HASH, len(shown), size)}


def _mark(item: Item, feed: Feed) -> bytes:
    """Return hashes of the guid, the address and the title of an item."""
    return b"".join(_hash(name) if name else _NOTHING for name in identities(item, feed))


def _identities(mark: bytes) -> set[bytes]:
    # Without their kinds: the guid of one item may be the address of another.
    return {mark[n : n + _HASH] for n in range(0, len(mark), _HASH)} - {_NOTHING}


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH, key=_VERSION).digest()
