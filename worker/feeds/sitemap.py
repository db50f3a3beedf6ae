"""News sitemaps: https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap (read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.feeds.dates import read_date
from worker.feeds.items import FIELD_MAX, Item
from worker.feeds.markup import plain
from worker.feeds.recovery import MAX_ENTRIES

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """The articles that a news sitemap lists."""

    items: tuple[Item, ...]
    language: str = ""
    warnings: tuple[str, ...] = ()


def read_sitemap(text: str) -> Sitemap | None:
    """Return what a news sitemap lists; ``None`` for a sitemap whose pages have no ``news:news``.

    ``text`` was cleaned by ``worker.feeds.recovery``. The address identifies an article: a sitemap has nothing else.
    """
    pages = [_fields(page) for page in _children(_tree(text), "url")]
    news = [fields for fields in pages if "news" in fields]
    if pages and not news:
        return None
    more = (f"more than {MAX_ENTRIES} entries: the rest is not read",) if len(news) > MAX_ENTRIES else ()
    return Sitemap(
        items=tuple(_item(fields) for fields in news[:MAX_ENTRIES]),
        language=next((fields["language"] for fields in news if fields.get("language")), ""),
        warnings=more,
    )


def children_of_index(text: str) -> list[str]:
    """Return up to three sitemaps that a sitemap index lists, those first whose address speaks of news."""
    found = [_fields(child).get("loc", "")[:FIELD_MAX] for child in _children(_tree(text), "sitemap")]
    return sorted((address for address in found if address), key=lambda address: "news" not in address.lower())[
        :_MOST_NAMED
    ]


def _item(fields: dict[str, str]) -> Item:
    return Item(
        link=fields.get("loc", ""),
        title=plain(fields.get("title", ""))[:FIELD_MAX],
        published_at=read_date(fields.get("publication_date", "")) or read_date(fields.get("lastmod", "")),
    )


def _tree(text: str) -> Any | None:  # noqa: ANN401 - lxml has no types
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded with the first sitemap

    # No entity, no file and no address is ever resolved, and libxml2's own limits of depth and size stay on.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, recover=True, load_dtd=False)
    return etree.fromstring(text.encode("utf-8", "replace"), parser)


def _children(parent: Any | None, name: str) -> Iterator[Any]:  # noqa: ANN401 - the same
    if parent is not None:
        yield from (child for child in parent if _local(child) == name)


def _fields(parent: Any) -> dict[str, str]:  # noqa: ANN401 - the same
    """Return the text of every element in ``parent`` by its name without prefix; the first of each name counts."""
    fields: dict[str, str] = {}
    for element in parent.iterdescendants():
        fields.setdefault(_local(element), (element.text or "").strip())
    return fields


def _local(element: Any) -> str:  # noqa: ANN401 - the same
    return element.tag.rpartition("}")[2].rpartition(":")[2] if isinstance(element.tag, str) else ""
