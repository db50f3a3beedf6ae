"""What a body is: a feed in one of its formats, or else what it is instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.errors import Unusable
from worker.feeds.markup import attributes
from worker.model import Feed, Reason
from worker.url import absolute, shown

#: Local names of the elements with which feeds and sitemaps begin.
_ROOTS = frozenset(("rss", "feed", "rdf", "channel", "item", "entry", "urlset", "sitemapindex"))
#: Elements that begin a page, or what is left of one after an error.
_PAGE = frozenset({
    "html", "head", "body", "title", "meta", "script", "style", "link", "base", "div", "main", "article", "section",
    "header", "h1", "h2", "p", "center", "table", "form", "iframe", "span", "font", "b", "br", "hr", "pre", "img",
})  # fmt: skip
#: Characters in front of a document that may be junk: the warning of a program that failed on the way.
_JUNK = 64 * 1024
#: Characters of a page in which it names its feeds.
_PAGE_HEAD = 512 * 1024
_MOST_NAMED = 3
_ROOT = re.compile(r"<(?:[\w.-]{1,100}:)?(?:rss|feed|rdf|urlset|sitemapindex)[\s>]", re.IGNORECASE)
_ELEMENT = re.compile(r"<([^\W\d][\w.:-]{0,200})")
_DOCTYPE = re.compile(r"<!doctype\s+([\w.:-]{1,100})", re.IGNORECASE)
_BLANK = re.compile(r"[\s\ufeff\x00]*")
_SUBSET = re.compile(r"[\[<>]")
_LINK = re.compile(r"<link\b[^<>]{0,4000}>", re.IGNORECASE)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_MAGIC = (
    (b"\x1f\x8b", "compressed with gzip, and the answer has no Content-Encoding that says so"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"%PDF-", "a PDF file"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd, and the answer has no Content-Encoding that says so"),
    (b"BZh", "compressed with bzip2"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Where the first element of a document begins, and its name without a prefix, in lower case."""

    name: str
    at: int
    #: Whether something stood before the document that belongs to none.
    junk: bool = False

    @property
    def is_feed(self) -> bool:
        """Whether a feed or a sitemap begins with it."""
        return self.name in _ROOTS


def refused(feed: Feed, what: str) -> Unusable:
    """Return the error for a body that is no feed."""
    return Unusable(f"{shown(feed.url)}: not a feed ({what})", name=Reason.NOT_A_FEED)


def binary(body: bytes) -> str:
    """Return what a body is when it is no text; empty otherwise."""
    return next((what for magic, what in _MAGIC if body.startswith(magic)), "")


def root(text: str) -> Root:
    """Return the root of a document, past blank lines, declarations, comments and junk; its name may be empty."""
    first = _first(text, 0)
    if first.is_feed or _is_page(text, first):
        return first
    later = _ROOT.search(text, 0, _JUNK)
    return Root(name=_first(text, later.start()).name, at=later.start(), junk=True) if later else first


def no_feed(text: str, found: Root, feed: Feed) -> Unusable:
    """Return the error for a text that is no feed, with what it is instead and what to do about it."""
    if not text.strip():
        return refused(feed, "the body is empty")
    if _is_page(text, found) or found.name in _PAGE:
        return Unusable(f"{shown(feed.url)}: {_page(text, feed)}", name=Reason.HTML_PAGE)
    if found.name == "opml":
        return refused(feed, "it is an OPML list of feeds: `wirewatch opml` reads those")
    if found.name:
        return refused(feed, f"it is XML with the root element <{found.name}>; it begins with {text[:40]!r}")
    return refused(feed, f"it begins with {text[:40]!r}")


def _first(text: str, at: int) -> Root:
    """Return the first element from ``at`` on, with an empty name when something else comes first."""
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        end = _prolog_end(text, at)
        if end <= at:
            break
        at = end
    found = _ELEMENT.match(text, at)
    return Root(name=found[1].rpartition(":")[2].lower() if found else "", at=at)


def _prolog_end(text: str, at: int) -> int:
    """Return where the declaration or comment at ``at`` ends; ``at`` or less when there is none that ends."""
    if text.startswith("<?", at):
        return text.find("?>", at) + 2
    if text.startswith("<!--", at):
        return text.find("-->", at + 4) + 3
    if not text.startswith("<!", at):
        return at
    stop = _SUBSET.search(text, at + 2)
    if stop is None or stop[0] == "<":
        return at
    return stop.end() if stop[0] == ">" else text.find(">", text.find("]", at) + 1 or len(text)) + 1


def _is_page(text: str, found: Root) -> bool:
    doctype = _DOCTYPE.search(text, 0, min(found.at, _JUNK))
    return found.name in {"html", "head", "body"} or (
        doctype is not None and doctype[1].lower() == "html" and not found.is_feed
    )


def _page(text: str, feed: Feed) -> str:
    named = _feeds_of(text, feed)
    if not named:
        return "an HTML page and no feed: open it in a browser and look for the feed's own address"
    return f"an HTML page and no feed; the page names {' and '.join(named)}: put the right one in its place"


def _feeds_of(page: str, feed: Feed) -> list[str]:
    """Return the addresses of the feeds that a page names, as browsers find them: at most three."""
    found: dict[str, None] = {}
    for tag in _LINK.findall(page, 0, _PAGE_HEAD):
        values = attributes(tag)
        if "alternate" in values.get("rel", "").lower().split() and values.get("type", "").lower() in _FEED_TYPES:
            address = absolute(feed.url, values.get("href", ""))
            if address and len(address) <= 2048:  # noqa: PLR2004 - no longer address is ever asked for
                found[address] = None
        if len(found) == _MOST_NAMED:
            break
    return list(found)
