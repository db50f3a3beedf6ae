"""The feed of an outlet as the outlet would serve it: RSS 2.0 or Atom."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from worker.replay.pages import clean
from worker.url import canonical

#: Characters of a description; it never holds the whole of a longer text, so that pages must be read.
SUMMARY = 200
#: Characters of an id; readers cut longer ones.
GUID_MAX = 500


class Listed(Protocol):
    """What a feed says about an article."""

    @property
    def id(self) -> str:
        """Identity of the entry."""
        ...

    @property
    def url(self) -> str:
        """Address of the page."""
        ...

    @property
    def title(self) -> str:
        """The headline."""
        ...

    @property
    def text(self) -> str:
        """The text; its beginning becomes the description. May be empty."""
        ...

    @property
    def published_at(self) -> datetime:
        """When it was published."""
        ...

    @property
    def dated(self) -> bool:
        """Whether the feed gives that time."""
        ...


def document(
    entries: Sequence[Listed], *, kind: str, outlet: str, url: str, language: str | None, changed_at: datetime
) -> bytes:
    """Return a feed in UTF-8 with ``entries`` in their order; ``kind`` is ``rss`` or ``atom``.

    Source: RSS 2.0 (https://www.rssboard.org/rss-specification), RFC 4287.
    """
    write = _atom if kind == "atom" else _rss
    return write(entries, outlet=outlet, url=url, language=language, changed_at=changed_at).encode("utf-8")


def content_type(kind: str) -> str:
    """Return the media type under which a feed of ``kind`` is served."""
    return f"application/{kind}+xml; charset=utf-8"


def summary(text: str) -> str:
    """Return the beginning of ``text``: about ``SUMMARY`` characters up to a word, and less than all of it."""
    words = clean(text).split()
    kept: list[str] = []
    room = min(SUMMARY, len(" ".join(words)) * 2 // 3)
    for word in words:
        room -= len(word) + 1
        if room < 0:
            break
        kept.append(word)
    return " ".join(kept) + " ..." if kept else ""


def _rss(entries: Sequence[Listed], *, outlet: str, url: str, language: str | None, changed_at: datetime) -> str:
    items = "".join(_rss_item(entry) for entry in entries)
    spoken = f"<language>{_text(language)}</language>" if language else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>\n'
        f"<title>{_text(outlet)}</title><link>{_text(_home(url))}</link>"
        f"<description>{_text(f'News from {outlet}')}</description>{spoken}\n"
        f'<atom:link href={_attribute(url)} rel="self" type="application/rss+xml"/>'
        f"<lastBuildDate>{_rfc5322(changed_at)}</lastBuildDate>\n{items}</channel></rss>\n"
    )


def _rss_item(entry: Listed) -> str:
    date = f"<pubDate>{_rfc5322(entry.published_at)}</pubDate>" if entry.dated else ""
    about = f"<description>{_text(words)}</description>" if (words := summary(entry.text)) else ""
    return (
        f"<item><title>{_text(entry.title)}</title><link>{_text(entry.url)}</link>"
        f'<guid isPermaLink="false">{_text(_guid(entry.id))}</guid>{date}{about}</item>\n'
    )


def _atom(entries: Sequence[Listed], *, outlet: str, url: str, language: str | None, changed_at: datetime) -> str:
    items = "".join(_atom_entry(entry) for entry in entries)
    spoken = f" xml:lang={_attribute(language)}" if language else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom"{spoken}>\n'
        f"<title>{_text(outlet)}</title><id>{_text(url)}</id><updated>{changed_at.isoformat()}</updated>"
        f"<author><name>{_text(outlet)}</name></author>"
        f'<link rel="self" href={_attribute(url)}/><link href={_attribute(_home(url))}/>\n{items}</feed>\n'
    )


def _atom_entry(entry: Listed) -> str:
    # RFC 4287 section 4.1.2 demands "updated"; an entry without a date has to do without it, as some feeds do.
    when = entry.published_at.isoformat()
    date = f"<published>{when}</published><updated>{when}</updated>" if entry.dated else ""
    about = f"<summary>{_text(words)}</summary>" if (words := summary(entry.text)) else ""
    return (
        f"<entry><title>{_text(entry.title)}</title><link href={_attribute(entry.url)}/>"
        f"<id>{_text(_urn(entry.id))}</id>{date}{about}</entry>\n"
    )


def _guid(name: str) -> str:
    """Return ``name`` if a feed can carry it unchanged, else its hash: two ids must never become one."""
    as_read = canonical(" ".join(clean(name).split()))
    if as_read == name and len(name) <= GUID_MAX and "&" not in name:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _urn(name: str) -> str:
    # RFC 4287 section 4.2.6 demands an absolute IRI; readers resolve any other id like a link, "a/../b" to "b".
    return f"urn:recorded:{quote(_guid(name), safe='')}"


def _home(url: str) -> str:
    return "/".join(url.split("/", 3)[:3]) + "/"


def _rfc5322(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _text(text: str | None) -> str:
    # A title with "&lt;" is read as HTML by many parsers, so what looks like markup stays escaped text.
    return escape(" ".join(clean(text or "").split()))


def _attribute(text: str) -> str:
    return quoteattr(clean(text))
