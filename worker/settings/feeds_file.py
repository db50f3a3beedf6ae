"""``feeds.yaml``: the feeds."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from worker.errors import Problem
from worker.model import Feed
from worker.settings.document import Document, Keys
from worker.settings.fields import Flag, Headers, Id, Language, Shape, Span, Text, Texts, Url
from worker.settings.part import Part, Placed
from worker.settings.shape import check_shape, repeated
from worker.url import canonical, host


class _Defaults(Shape):
    outlet: Text | None = None
    interval: Span = timedelta(minutes=10)
    language: Language | None = None
    full_text: Flag = False
    conditional: Flag = True
    enabled: Flag = True
    headers: Headers = Field(default_factory=dict)


class _Feed(_Defaults):
    url: Url
    id: Id | None = None


class _File(Shape):
    defaults: dict[str, object] = Field(default_factory=dict)
    feeds: list[object] = Field(default_factory=list)
    opml: Texts = Field(default_factory=list)


def read_feeds(document: Document) -> Part[tuple[Placed[Feed], ...]]:
    """Return the feeds of ``feeds.yaml``.

    A feed without ``id`` is known by its URL without the scheme; one without ``outlet`` by its host.
    ``defaults`` stand in for the keys that a feed does not have; ``headers`` of both are joined.
    """
    file = check_shape(_File, document, ())
    defaults = check_shape(_Defaults, document, ("defaults",))
    problems = [*document.problems, *file.problems, *(defaults.problems if "defaults" not in file.dropped else ())]
    feeds: list[Placed[Feed]] = []
    ids: list[tuple[str, Keys]] = []
    urls: list[tuple[str, Keys]] = []
    for index in range(len(file.value.feeds) if file.value else 0):
        keys: Keys = ("feeds", index)
        checked = check_shape(_Feed, document, keys)
        problems += checked.problems
        if checked.value and defaults.value:
            feed = _feed(checked.value, defaults.value)
            feeds.append(Placed(value=feed, keys=keys))
            urls.append((canonical(feed.url), (*keys, "url")))
            if "id" not in checked.dropped:
                ids.append((feed.id, (*keys, "id")))
    problems += repeated(document, ids, "feed")
    return Part(
        document=document,
        value=tuple(feeds),
        problems=tuple(problems),
        warnings=_twice(document, urls),
    )


def _feed(given: _Feed, defaults: _Defaults) -> Feed:
    merged = defaults.model_dump(exclude_unset=True) | given.model_dump(exclude_unset=True)
    settled = _Defaults.model_construct(**{k: v for k, v in merged.items() if k not in {"id", "url"}})
    return Feed(
        id=given.id or canonical(given.url).removeprefix("https://"),
        url=given.url,
        outlet=settled.outlet or host(given.url),
        interval=settled.interval,
        language=settled.language,
        full_text=settled.full_text,
        conditional=settled.conditional,
        enabled=settled.enabled,
        headers=_joined(defaults.headers, given.headers),
    )


def _joined(defaults: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Return both; names of headers ignore case (RFC 9110 section 5.1)."""
    replaced = {name.lower() for name in given}
    return {name: value for name, value in defaults.items() if name.lower() not in replaced} | given


def _twice(document: Document, urls: list[tuple[str, Keys]]) -> tuple[Problem, ...]:
    first: dict[str, Keys] = {}
    warnings: list[Problem] = []
    for url, keys in urls:
        if url in first:
            line = document.places[document.nearest(first[url])].line
            warnings.append(
                document.problem(keys, f"url: the feed on line {line} has this URL too; it is polled twice")
            )
        first.setdefault(url, keys)
    return tuple(warnings)
