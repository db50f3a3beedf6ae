"""``feeds.yaml``: the feeds, and those of the OPML files that it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from worker.errors import Problem
from worker.model import Feed
from worker.settings.document import Document, Keys
from worker.settings.fields import Flag, Headers, Id, Language, Names, Networks, Shape, Span, Text, Url
from worker.settings.opml import Outline, feed_id, opml_of, outlet
from worker.settings.part import Part, Placed
from worker.settings.shape import check_shape, label, repeated
from worker.settings.sources import Folder, Source
from worker.url import canonical, host


class _Defaults(Shape):
    outlet: Text | None = None
    interval: Span = timedelta(minutes=10)
    language: Language | None = None
    full_text: Flag = False
    conditional: Flag = True
    enabled: Flag = True
    headers: Headers = Field(default_factory=dict)
    allow_private: Networks | None = None


class _Feed(_Defaults):
    url: Url
    id: Id | None = None


class _File(Shape):
    defaults: dict[str, object] = Field(default_factory=dict)
    feeds: list[object] = Field(default_factory=list)
    opml: Names = Field(default_factory=list)


def read_feeds(document: Document, source: Source | None = None) -> Part[tuple[Placed[Feed], ...]]:
    """Return the feeds of ``feeds.yaml`` and of the OPML files that it names, in this order, each once.

    A feed without ``id`` is known by its URL without the scheme; one without ``outlet`` by its host.
    ``defaults`` stand in for the keys that a feed does not have; ``headers`` of both are joined. What ``feeds.yaml``
    says of a feed holds before what an OPML file says. Those files are in ``source``; without one, beside
    ``feeds.yaml``.
    """
    source = source or Folder(Path(document.file).parent)
    file = check_shape(_File, document, ())
    defaults = check_shape(_Defaults, document, ("defaults",))
    own = _own(document, len(file.value.feeds) if file.value else 0, defaults.value)
    listed = _listed(document, file.value.opml if file.value else [], defaults.value, own, source)
    return Part(
        document=document,
        value=(*own.feeds, *listed.feeds),
        problems=(
            *document.problems,
            *file.problems,
            *(defaults.problems if "defaults" not in file.dropped else ()),
            *own.problems,
            *listed.problems,
        ),
        warnings=(*own.warnings, *listed.warnings),
        files=listed.files,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Feeds, and what there is to say about them."""

    feeds: tuple[Placed[Feed], ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    files: tuple[str, ...] = ()


def _own(document: Document, count: int, defaults: _Defaults | None) -> _Found:
    """Return the feeds that ``document`` itself lists."""
    feeds: list[Placed[Feed]] = []
    problems: list[Problem] = []
    ids: list[tuple[str, Keys]] = []
    urls: list[tuple[str, Keys]] = []
    for index in range(count):
        keys: Keys = ("feeds", index)
        checked = check_shape(_Feed, document, keys)
        problems += checked.problems
        if checked.value and defaults:
            feed = _feed(checked.value, defaults)
            feeds.append(Placed(value=feed, keys=keys))
            urls.append((canonical(feed.url), (*keys, "url")))
            if "id" not in checked.dropped:
                ids.append((feed.id, (*keys, "id")))
    problems += repeated(document, ids, "feed")
    return _Found(feeds=tuple(feeds), problems=tuple(problems), warnings=_twice(document, urls))


def _listed(document: Document, names: list[str], defaults: _Defaults | None, own: _Found, source: Source) -> _Found:
    """Return the feeds of the OPML files ``names`` that are not among ``own``."""
    feeds: list[Placed[Feed]] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    files: list[str] = []
    known = {canonical(feed.value.url) for feed in own.feeds}
    ids = {feed.value.id for feed in own.feeds}
    for index, name in enumerate(names):
        keys: Keys = ("opml", index)
        found = source.opml(label(keys), name)
        if found is None:
            problems.append(document.problem(keys, f"{label(keys)}: there is no such file in {source.place}"))
            continue
        opml = opml_of(found)
        files.append(opml.file)
        problems += opml.problems
        warnings += opml.warnings
        for outline in opml.outlines:
            if canonical(outline.url) in known:
                continue
            known.add(canonical(outline.url))
            if outline.id in ids:
                message = "xmlUrl: another feed has for its id what would be the id of this one; give it another id"
                problems.append(Problem(file=opml.file, line=outline.line, message=message))
            elif defaults:
                feeds.append(Placed(value=_feed(_given(outline), defaults), keys=keys))
    return _Found(feeds=tuple(feeds), problems=tuple(problems), warnings=tuple(warnings), files=tuple(files))


def _given(outline: Outline) -> _Feed:
    """Return what ``feeds.yaml`` would say of a feed that an OPML file lists."""
    said: dict[str, object] = {"url": outline.url, "outlet": outlet(outline)}
    if outline.language:
        said["language"] = outline.language
    if not outline.enabled:
        said["enabled"] = False
    return _Feed.model_validate(said)


def _feed(given: _Feed, defaults: _Defaults) -> Feed:
    merged = defaults.model_dump(exclude_unset=True) | given.model_dump(exclude_unset=True)
    settled = _Defaults.model_construct(**{k: v for k, v in merged.items() if k not in {"id", "url"}})
    return Feed(
        id=given.id or feed_id(given.url),
        url=given.url,
        outlet=settled.outlet or host(given.url),
        interval=settled.interval,
        language=settled.language,
        full_text=settled.full_text,
        conditional=settled.conditional,
        enabled=settled.enabled,
        headers=_joined(defaults.headers, given.headers),
        allow_private=settled.allow_private,
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
