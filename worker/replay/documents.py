"""Recorded feed documents: whether a file is one, what it calls itself, and its newest date.

The live parser reads the document later, when it is polled; this is only what must be known before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from lxml import etree  # type: ignore[import-untyped]

from worker.articles import decode
from worker.replay.dates import parse_time

_FEED = re.compile(r"<(?:rss|feed|rdf:RDF|[\w.-]+:feed)[\s>]")
_PAGE = re.compile(r"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
#: Characters before which the root element begins.
_WITHIN = 5_000
_ENTRIES = frozenset(("item", "entry"))
_DATES = frozenset(("pubDate", "updated", "published", "date", "issued", "modified"))


def is_feed(body: bytes) -> bool:
    """Return whether ``body`` begins like RSS, Atom or RDF."""
    start = decode(body[: _WITHIN * 4]).text[:_WITHIN]
    root = _FEED.search(start)
    before = _PAGE.search(start)
    return root is not None and (before is None or root.start() < before.start())


def scan(body: bytes) -> tuple[str, datetime | None, str]:
    """Return the title of a feed document, the newest date of its entries, and what is odd about it, if anything."""
    # No entity is expanded and nothing is fetched: a recorded document is as hostile as a live one.
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        return "", None, "is not well-formed XML; what can be read of it is used"
    dates: list[datetime] = []
    title = ""
    entries = 0
    for element in root.iter():
        name, parent = _name(element), _name(element.getparent())
        entries += name in _ENTRIES
        if name in _DATES and parent in _ENTRIES and element.text:
            try:
                dates.append(parse_time(element.text)[0])
            except ValueError:
                continue
        elif name == "title" and parent in {"channel", "feed"} and not title:
            title = " ".join((element.text or "").split())
    return title, max(dates, default=None), _odd(parser.error_log, entries)


def _odd(errors: Iterable[etree._LogEntry], entries: int) -> str:
    for error in errors:
        if error.level >= etree.ErrorLevels.ERROR:
            said = " ".join(error.message.split())
            return f"is not well-formed XML (line {error.line}: {said}); what can be read of it is used"
    return "" if entries else "has no entries"


def _name(element: etree._Element | None) -> str:
    if element is None or not isinstance(element.tag, str):
        return ""
    return element.tag.rpartition("}")[2]
