"""Whether a feed document says anything that it did not say before."""

from __future__ import annotations

import hashlib
import re

#: Bytes of the channel's head that are looked at, so that a body without any item costs no more than its hash.
_HEAD = 64 * 1024
_FIRST_ITEM = re.compile(rb"<(?:[\w.-]{1,20}:)?(?:item|entry|url)[\s>]", re.IGNORECASE)
# What changes although nothing was published: dates of the channel, not of its items, and what software says of
# itself and of its caches. Sixteen of 28 news feeds of February 2026 date the channel later than its newest item.
_VOLATILE = re.compile(
    rb"<((?:[\w.-]{1,20}:)?(?:lastBuildDate|pubDate|updated|modified|date|ttl|generator|updateBase))\b[^<>]{0,400}"
    rb"(?:/>|>(?:<!\[CDATA\[)?[^<>]{0,400}(?:\]\]>)?</\1\s{0,9}>)"
    rb"|<(?:[\w.-]{1,20}:)?generatorAgent\b[^<>]{0,400}>"
    rb"|<!--[^<>]{0,400}-->",
    re.IGNORECASE,
)


def body_hash(body: bytes) -> str:
    """Return a hash of a feed document that stays the same when only what is volatile in its channel has changed.

    All bytes from the first item on count, and so does every byte of a document in UTF-16.
    """
    head = body[:_HEAD]
    first = _FIRST_ITEM.search(head)
    cut = first.start() if first else len(head)
    digest = hashlib.sha256(_VOLATILE.sub(b"", head[:cut]))
    digest.update(memoryview(body)[cut:])
    return digest.hexdigest()
