"""RSS 0.9x to 2.0, Atom and RDF, read by feedparser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.feeds.dates import read_date
from worker.feeds.items import FIELD_MAX, Item
from worker.feeds.markup import TEXT_MAX, plain

#: Characters of markup from which a text is made.
_MARKUP_MAX = 2 * TEXT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A feed document as feedparser reads it."""

    #: Empty when feedparser does not know the format.
    version: str
    title: str
    home: str
    language: str
    items: tuple[Item, ...]
    warning: str


def read_xml(text: str, *, url: str) -> Channel:
    """Return what a document says that ``worker.feeds.recovery`` has cleaned; ``url`` is where it came from.

    feedparser may raise anything on input that nobody thought of.
    """
    parsed = _parsed(text, url=url)
    channel = parsed.feed
    return Channel(
        version=parsed.get("version") or "",
        title=plain(_field(channel, "title"))[:FIELD_MAX],
        home=_field(channel, "link")[:FIELD_MAX],
        language=_field(channel, "language"),
        items=tuple(_items(parsed.entries)),
        warning=str(parsed.get("bozo_exception", "")) if parsed.get("bozo") else "",
    )


def _parsed(text: str, *, url: str) -> Any:  # noqa: ANN401 - feedparser's dictionary
    # Imported here, so that whoever only needs the values of this room does not pay for it.
    import feedparser  # noqa: PLC0415

    # A str or a path would be opened as a file or an address by feedparser; a stream never is. The sanitiser and
    # the resolver of relative addresses cost more than half of the time and we need neither: every text becomes
    # plain text here and is escaped where it is shown.
    return feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _items(found: list[Any]) -> Iterator[Item]:
    for item in found:
        yield Item(
            guid=_field(item, "id"),
            # FeedBurner keeps the publisher's own address apart.
            link=_field(item, "feedburner_origlink") or _field(item, "link"),
            title=plain(_field(item, "title"))[:FIELD_MAX],
            text=_text(item),
            outlet=plain(_field(_value(item, "source"), "title"))[:FIELD_MAX],
            published_at=next(
                (date for name in ("published", "updated", "created") if (date := read_date(_field(item, name)))), None
            ),
        )


def _text(item: Any) -> str:  # noqa: ANN401 - feedparser's dictionary
    """Return the longest text that the item itself carries."""
    contents = _value(item, "content")
    texts = [_field(content, "value") for content in contents] if isinstance(contents, list) else []
    return max((plain(text) for text in {*texts, _field(item, "summary")}), key=len, default="")


def _field(item: Any, name: str) -> str:  # noqa: ANN401 - feedparser's dictionary
    value = _value(item, name)
    return value[:_MARKUP_MAX] if isinstance(value, str) else ""


def _value(item: Any, name: str) -> Any:  # noqa: ANN401 - feedparser's dictionary
    # Its own ``get`` answers with another field when the one that was asked for is missing, and warns of it.
    return dict.get(item, name) if isinstance(item, dict) else None
