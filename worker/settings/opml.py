"""OPML: lists of feeds as feed readers exchange them, in and out.

Source: OPML 2.0 (http://opml.org/spec2.opml), "What is an <outline>?" and "Subscription lists". What differs from it in
files that readers really write is taken as it is meant: attributes in any case, outlines without ``type``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from worker.errors import Problem
from worker.model import Feed
from worker.settings import addresses, languages
from worker.settings.reading import Raw, raw
from worker.url import canonical, host

_LONGEST_NAME: Final = 200
_TRUE: Final = "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A feed as an OPML file lists it."""

    url: str
    #: Empty when the file gives none.
    outlet: str = ""
    language: str | None = None
    #: False for an outline that is commented out (``isComment``), or stands below one that is.
    enabled: bool = True
    #: Where it begins, from 1.
    line: int

    @property
    def id(self) -> str:
        """The id of a feed that has none of its own: its URL without the scheme."""
        return feed_id(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opml:
    """What an OPML file says as far as it is right, and what there is to say about it."""

    file: str
    #: Each feed once, in the order of the file.
    outlines: tuple[Outline, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def feed_id(url: str) -> str:
    """Return the id of a feed that was given none: what its URL identifies, without the scheme."""
    return canonical(url).removeprefix("https://")


def read_opml(path: Path) -> Opml:
    """Return what the OPML file ``path`` says. What is wrong with it is in ``problems``; nothing is raised."""
    return opml_of(raw(path))


def opml_of(found: Raw) -> Opml:
    """Return what an OPML file says. What is wrong with it is in ``problems``; nothing is raised."""
    return _refused(found.file, found.problem) if found.problem else parse_opml(found.file, found.content)


def parse_opml(file: str, content: bytes) -> Opml:
    """Return what ``content``, the bytes of an OPML file called ``file``, says."""
    # Nothing that it names is opened, and no entity is put in: a list of feeds needs none.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        # Its own words may repeat what the file says.
        message = (
            "is no XML that can be read from here on; export it anew, or write &amp; for & where that is the reason"
        )
        return _refused(file, message, line=max(line, 1), column=max(column, 0))
    if root.getroottree().docinfo.internalDTD is not None and _entities(root):
        return _refused(file, "declares entities, which no list of feeds needs; take its DOCTYPE out", line=1)
    if _name(root) != "opml":
        return _refused(file, f"is XML and no OPML: it begins with <{_name(root)[:40]}>, not <opml>", line=_line(root))
    return _collected(file, _outlines(root))


def render_opml(feeds: Iterable[Feed], *, title: str) -> bytes:
    """Return an OPML 2.0 file, in UTF-8, that lists ``feeds``; disabled ones as comments.

    Headers, intervals and ids have no place in it.
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = _plain(title)
    body = etree.SubElement(root, "body")
    for feed in feeds:
        name = _plain(feed.outlet)
        about = {"type": "rss", "text": name, "title": name, "xmlUrl": feed.url}
        if feed.language:
            about["language"] = feed.language
        if not feed.enabled:
            about["isComment"] = _TRUE
        etree.SubElement(body, "outline", about)
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An outline that names a feed, before its values are looked at."""

    about: dict[str, str]
    enabled: bool
    line: int


def _outlines(root: Any) -> Iterable[_Found]:  # noqa: ANN401 - lxml has no types
    """Yield the outlines with an ``xmlUrl``, whatever folders they stand in; all others are folders or notes."""
    commented: set[Any] = set()
    for element in root.iter(etree.Element):
        if _name(element) != "outline":
            continue
        about = {str(name).lower(): str(value) for name, value in element.attrib.items()}
        if about.get("iscomment", "").strip().lower() == _TRUE or element.getparent() in commented:
            commented.add(element)
        if "xmlurl" in about:
            yield _Found(about=about, enabled=element not in commented, line=_line(element))


def _collected(file: str, found: Iterable[_Found]) -> Opml:
    outlines: dict[str, Outline] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for each in found:
        url = each.about["xmlurl"].strip()
        try:
            addresses.web_url(url)
        except ValueError as error:
            problems.append(Problem(file=file, line=each.line, message=f"xmlUrl: {error}"))
            continue
        known = outlines.get(canonical(url))
        if known is not None:
            message = f"xmlUrl: this feed is listed on line {known.line} already; it is polled once"
            warnings.append(Problem(file=file, line=each.line, message=message))
            continue
        language, remark = _language(each.about.get("language", ""))
        if remark:
            warnings.append(Problem(file=file, line=each.line, message=f"language: {remark}; it is left out"))
        name = " ".join((each.about.get("title") or each.about.get("text") or "").split())[:_LONGEST_NAME]
        outlines[canonical(url)] = Outline(
            url=url, outlet=name, language=language, enabled=each.enabled, line=each.line
        )
    if not outlines and not problems:
        warnings.append(Problem(file=file, message="lists no feeds: no outline has an xmlUrl"))
    return Opml(
        file=file, outlines=tuple(outlines.values()), problems=tuple(sorted(problems)), warnings=tuple(sorted(warnings))
    )


def _language(value: str) -> tuple[str | None, str]:
    if not value.strip():
        return None, ""
    try:
        return languages.code(value), ""
    except ValueError as error:
        return None, str(error)


def outlet(outline: Outline) -> str:
    """Return the name under which people know the feed: the file's, or else the host of its URL."""
    return outline.outlet or host(outline.url)


def _entities(root: Any) -> bool:  # noqa: ANN401 - lxml has no types
    return any(True for _ in root.getroottree().docinfo.internalDTD.iterentities())


def _name(element: Any) -> str:  # noqa: ANN401 - lxml has no types
    return str(etree.QName(element).localname).lower()


def _line(element: Any) -> int:  # noqa: ANN401 - lxml has no types
    return int(element.sourceline or 1)


def _plain(text: str) -> str:
    """Return ``text`` without the characters that XML cannot hold (XML 1.0 section 2.2)."""
    return "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )


def _refused(file: str, message: str, *, line: int = 0, column: int = 0) -> Opml:
    return Opml(file=file, problems=(Problem(file=file, line=line, column=column, message=message),))
