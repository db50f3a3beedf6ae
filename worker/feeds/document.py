"""A feed document, from bytes to entries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from worker.errors import Unusable
from worker.feeds.encoding import decode
from worker.feeds.fingerprint import body_hash
from worker.feeds.hints import channel_hints, first_hub, header_hub
from worker.feeds.items import entries
from worker.feeds.json_feed import read_json
from worker.feeds.kinds import Root, binary, no_feed, refused, root
from worker.feeds.markup import plain
from worker.feeds.recovery import MAX_ENTRIES, Cleaned, clean, without_forbidden
from worker.feeds.sitemap import children_of_index, read_sitemap
from worker.feeds.unchanged import Parted, part, remember, remember_rest, without_known
from worker.feeds.xml_feed import Channel, read_xml
from worker.model import Entry, Feed, Hints

__all__ = ["MAX_ENTRIES", "Document", "body_hash", "parse", "plain"]

#: Roots of documents that lost the one around them.
_FRAGMENTS = frozenset(("channel", "item", "entry"))
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed feed document: its entries, oldest first as far as they are dated."""

    entries: tuple[Entry, ...]
    #: The feed's own title, if it has one.
    title: str = ""
    #: What was wrong with the document although it could be read; empty when nothing was.
    warning: str = ""
    #: The document ends too early: whoever asks again may get more.
    cut: bool = False
    hints: Hints = field(default_factory=Hints)
    #: Items that were left out of ``entries``, since the last document showed them just so.
    unchanged: int = 0
    #: What is to be remembered of this document for the next (``worker.feeds.unchanged``); empty when nothing is.
    shown: bytes = b""


def parse(body: bytes, *, feed: Feed, headers: Mapping[str, str], shown: bytes = b"") -> Document:
    """Return the entries of a feed document: RSS, Atom, RDF, JSON Feed or a news sitemap.

    With what the last document has ``shown``, items that are unchanged since then are left out where that changes
    nothing else; without it all are there.

    A malformed document is read as far as it goes (``warning`` says what is wrong). Entries that repeat a key are
    one entry. ``headers`` are those of the answer, with names in lower case.

    Raises:
        Unusable: the body is no feed; the message says what it looks like, ``name`` is ``html-page`` for a page and
            ``not-a-feed`` for anything else.
    """
    if what := binary(body):
        raise refused(feed, f"the body is {what}")
    text, warning = decode(body, content_type=headers.get("content-type", ""))
    text = without_forbidden(text)
    try:
        document = _parsed(text, feed, headers, shown)
    except Unusable:
        raise
    except Exception as error:  # a feed is anybody's input, and one must not stop the others
        raise refused(feed, f"it could not be parsed: {type(error).__name__}: {error}") from error
    return replace(document, warning="; ".join(filter(None, (warning, document.warning))))


def _parsed(text: str, feed: Feed, headers: Mapping[str, str], shown: bytes) -> Document:
    if text.lstrip("\ufeff \t\r\n")[:1] == "{":
        return _json(text.lstrip("\ufeff"), feed, headers)
    found = root(text)
    if not found.is_feed:
        raise no_feed(text, found, feed)
    parted = part(text, found, feed)
    if parted and shown and (document := _changed(parted, found, feed, headers, shown)):
        return document
    cleaned = clean(f"<rss>{text[found.at :]}</rss>") if found.name in _FRAGMENTS else clean(text, found.at)
    if found.name == "sitemapindex":
        named = " or ".join(children_of_index(cleaned.text)) or "its news sitemap"
        raise refused(feed, f"it is an index of sitemaps: use {named}")
    if found.name == "urlset":
        return _sitemap(cleaned, feed, headers)
    channel = read_xml(cleaned.text, url=feed.url)
    document = _feed(cleaned, channel, found, feed, headers)
    # What had to be mended is read whole the next time, too, so that it is said again.
    mended = bool(document.warning or document.cut)
    return document if mended or not parted else replace(document, shown=remember(parted, channel.items, feed))


def _changed(parted: Parted, found: Root, feed: Feed, headers: Mapping[str, str], shown: bytes) -> Document | None:
    """Return what a document shows beside what was ``shown`` before; ``None`` when it is to be read whole."""
    rest = without_known(parted, shown)
    if rest is None:
        return None
    cleaned = clean(rest.text, found.at)
    channel = read_xml(cleaned.text, url=feed.url)
    document = _feed(cleaned, channel, found, feed, headers)
    memory = remember_rest(parted, rest, channel.items, feed)
    if memory is None or document.warning or document.cut:
        return None
    return replace(document, unchanged=rest.known, shown=memory)


def _feed(cleaned: Cleaned, channel: Channel, found: Root, feed: Feed, headers: Mapping[str, str]) -> Document:
    if not channel.version and not channel.items:
        raise refused(feed, f"it has the root element <{found.name}>, but nothing of a feed in it")
    junk = "text before the document" if found.junk else ""
    return Document(
        entries=entries(channel.items, feed=feed, home=channel.home, language=_language(feed, channel.language)),
        title=channel.title,
        warning="; ".join(filter(None, (junk, *cleaned.warnings, channel.warning))),
        cut=cleaned.cut,
        hints=channel_hints(cleaned.channel, base=feed.url, headers=headers),
    )


def _json(text: str, feed: Feed, headers: Mapping[str, str]) -> Document:
    channel = read_json(text)
    if channel is None:
        raise refused(feed, f"it is no JSON Feed although it begins with {text[:40]!r}")
    return Document(
        entries=entries(channel.items, feed=feed, home=channel.home, language=_language(feed, channel.language)),
        title=channel.title,
        warning="; ".join(channel.warnings),
        cut=channel.cut,
        hints=Hints(hub=header_hub(headers, base=feed.url) or first_hub(channel.hubs, base=feed.url)),
    )


def _sitemap(cleaned: Cleaned, feed: Feed, headers: Mapping[str, str]) -> Document:
    sitemap = read_sitemap(cleaned.text)
    if sitemap is None:
        raise refused(feed, "it is a sitemap without news:news, so without titles: use the site's feed or news sitemap")
    return Document(
        entries=entries(sitemap.items, feed=feed, home="", language=_language(feed, sitemap.language)),
        warning="; ".join((*cleaned.warnings, *sitemap.warnings)),
        cut=cleaned.cut,
        hints=Hints(hub=header_hub(headers, base=feed.url)),
    )


def _language(feed: Feed, spoken: str) -> str | None:
    """Return the language of a feed: as configured, else as it says itself."""
    found = _LANGUAGE.fullmatch(spoken.strip())
    return feed.language or (found[1].lower() if found else None)
