"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.feeds.dates import read_date
from worker.feeds.items import FIELD_MAX, Item
from worker.feeds.markup import plain
from worker.feeds.recovery import MAX_ENTRIES

#: Source: the specification, "version"; some feeds write http or leave the last part out.
_VERSION = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/", re.IGNORECASE)
_ITEMS = re.compile(r"\"items\"\s{0,99}:\s{0,99}\[\s{0,999}")
_BETWEEN = re.compile(r"[\s,]{0,999}")
# Numbers stay as they are written: an id of 5,000 digits is a string like any other, and nothing here is counted.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonChannel:
    """A JSON Feed document."""

    title: str
    home: str
    language: str
    hubs: tuple[str, ...]
    items: tuple[Item, ...]
    warnings: tuple[str, ...] = ()
    cut: bool = False


def read_json(text: str) -> JsonChannel | None:
    """Return what a JSON Feed document says; ``None`` for JSON of another kind and for what is no JSON.

    A document that was cut off is read up to its last whole item. Authors, attachments and extensions are ignored.
    """
    try:
        document = _DECODER.decode(text.strip())
    except RecursionError:
        return None
    except ValueError:
        return _cut(text)
    return _channel(document) if isinstance(document, dict) else None


def _channel(document: Mapping[str, Any], *, cut: bool = False) -> JsonChannel | None:
    items = document.get("items")
    if not isinstance(items, list) or not _VERSION.match(_field(document, "version")):
        return None
    more = (f"more than {MAX_ENTRIES} entries: the rest is not read",) if len(items) > MAX_ENTRIES else ()
    ended = ("the end is missing",) if cut else ()
    hubs = document.get("hubs")
    return JsonChannel(
        title=plain(_field(document, "title"))[:FIELD_MAX],
        home=_field(document, "home_page_url")[:FIELD_MAX],
        language=_field(document, "language"),
        hubs=tuple(_field(hub, "url") for hub in hubs[:99]) if isinstance(hubs, list) else (),
        items=tuple(_item(item) for item in items[:MAX_ENTRIES] if isinstance(item, dict)),
        warnings=more + ended,
        cut=cut,
    )


def _item(item: Mapping[str, Any]) -> Item:
    texts = (plain(_field(item, "content_html")), *(_field(item, n).strip() for n in ("content_text", "summary")))
    return Item(
        guid=_field(item, "id"),
        link=_field(item, "url") or _field(item, "external_url"),
        title=" ".join(_field(item, "title").split())[:FIELD_MAX],
        text=max(texts, key=len),
        published_at=read_date(_field(item, "date_published")) or read_date(_field(item, "date_modified")),
    )


def _field(values: Any, name: str) -> str:  # noqa: ANN401 - whatever JSON holds
    value = values.get(name) if isinstance(values, dict) else None
    return value.replace("\x00", "") if isinstance(value, str) else ""


def _cut(text: str) -> JsonChannel | None:
    """Return what stands before the place where a document was cut, or is broken."""
    found = _ITEMS.search(text)
    if not found:
        return None
    try:
        head = _DECODER.decode(f"{text[: found.start()].strip().rstrip(',')}}}")
    except (ValueError, RecursionError):
        return None
    return _channel(head | {"items": list(_whole(text, found.end()))}, cut=True) if isinstance(head, dict) else None


def _whole(text: str, at: int) -> Iterator[Any]:
    for _ in range(MAX_ENTRIES):
        try:
            item, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield item
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
