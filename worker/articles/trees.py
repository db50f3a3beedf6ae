"""HTML to a tree that is safe and cheap to read."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from itertools import islice
from typing import Any

#: Characters of HTML, without scripts and styles; what follows them is not read. Above ``network.max_body`` as it is
#: by default, so that what was fetched is read.
HTML_MAX = 12_000_000
#: Tags; extraction costs about 30 microseconds a tag, so this bounds a page to a few seconds.
TAGS_MAX = 100_000
#: Levels; libxml2 gives up below 255 and drops all that follows.
_DEEPEST = 250

_MARKUP = re.compile(r"<(?:!doctype|html|head|body|[a-z][a-z0-9]*(?:\s[^<>]*)?/?)>|<(?:!doctype|html)\b", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^<>]*>")
#: Elements that hold no text of an article, and cost the most.
_HEAVY = ("script", "style", "svg", "template")
# All tags but those that shape a text; used on pages that are nested too deeply to be parsed.
_WRAPPER = re.compile(
    r"</?(?!(?:html|head|title|meta|body|article|p|br|h[1-6]|li|script|style|nav|footer|aside)\b)[a-z][^<>]*>",
    re.IGNORECASE,
)
# By role (WAI-ARIA 1.2) or element, these parts of a page are never its article. Some software wraps the whole page in
# a form, and a page behind a notice may be hidden until a script shows it: what holds the headline stays.
_NEVER = ("nav", "footer", "button", "select", "dialog")
_ROLES = frozenset(
    ("navigation", "search", "banner", "contentinfo", "dialog", "alertdialog", "complementary")
)  # fmt: skip
#: What may be hidden from those who listen and not from those who look is an article's too, but not in these.
_UNHEARD = frozenset(("div", "section", "span"))
_FEWEST_PARAGRAPHS = 5
#: Elements that may bear the mark of an article's body and are none.
_NO_BODY = frozenset(("meta", "link", "span"))
# What publishers call the container of an article's paragraphs.
_CHUNK = re.compile(r"(?:article|story|post)[-_]*(?:body|text|content)|body__container", re.IGNORECASE)


def markup(source: str) -> re.Match[str] | None:
    """Return the first tag in ``source``; a source without any is plain text."""
    return _MARKUP.search(source)


def bounded(source: str) -> tuple[str, bool]:
    """Return ``source`` within ``HTML_MAX`` and ``TAGS_MAX``, and whether anything that may be text was left out.

    A page above the limits first loses its scripts and styles, which often are nine tenths of it.
    """
    if len(source) <= HTML_MAX and source.count("<") <= TAGS_MAX:
        return source, False
    for name in _HEAVY:
        source = _without(source, name)
    cut = source[:HTML_MAX]
    if cut.count("<") > TAGS_MAX:
        cut = "<".join(cut.split("<", TAGS_MAX)[:TAGS_MAX])
    return cut, len(cut) < len(source)


def parse(source: str) -> Any | None:  # noqa: ANN401 - lxml has no types
    """Return the lxml tree of a page, or ``None`` if there is nothing in it.

    A page nested too deeply for libxml2 is read without the tags that only group.
    """
    source = _XML_DECLARATION.sub("", source)
    tree = _tree(source)
    if tree is not None and _depth_reached(tree):
        tree = _tree(_WRAPPER.sub(" ", source))
    return tree


def prune(tree: Any) -> Any:  # noqa: ANN401
    """Return ``tree`` without the parts that by their element or role are never an article. Changes ``tree``.

    Scripts and styles go as well, but for those that hold data (JSON-LD): they are most of a page, and the extractor
    copies what it is given three times.
    """
    # Elements by name, and the few with one of three attributes: half the cost of one expression for all, scripts and
    # styles included (2.2 to 1.0 ms a page).
    named = [element for element in tree.iter(*_NEVER) if element.tag != "footer" or not _is_quoted(element)]
    marked = [element for element in _with_marks()(tree) if _is_furniture(element)]
    forms = [element for element in tree.iter("form") if not _holds_article(element)]
    heavy = [element for element in tree.iter(*_HEAVY) if element.get("type") != "application/ld+json"]
    for element in (*named, *marked, *forms, *heavy):
        drop(element)
    return tree


@cache
def _with_marks() -> Any:  # noqa: ANN401
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded with the first page

    return etree.XPath("//*[@role or @hidden or @aria-hidden='true']")


def _is_furniture(element: Any) -> bool:  # noqa: ANN401
    """Return whether an element is furniture by its role, or is hidden."""
    if element.get("role") in _ROLES:
        return True
    hidden = element.get("hidden") is not None or (element.get("aria-hidden") == "true" and element.tag in _UNHEARD)
    return hidden and not _holds_article(element)


def _is_quoted(element: Any) -> bool:  # noqa: ANN401
    return next(element.iterancestors("blockquote"), None) is not None


def _holds_article(element: Any) -> bool:  # noqa: ANN401
    """Return whether an element may hold the whole page: it has a headline, an article, or several paragraphs."""
    if element.find(".//h1") is not None or element.find(".//article") is not None:
        return True
    return sum(1 for _ in islice(element.iterfind(".//p"), _FEWEST_PARAGRAPHS)) == _FEWEST_PARAGRAPHS


def marked_body(tree: Any) -> Any | None:  # noqa: ANN401
    """Return a page that holds only what the publisher marked as the article's body, or ``None`` without a mark.

    Source: schema.org, Article, articleBody, as microdata. ``tree`` is left as it was, without scripts in the body.
    """
    marked = [
        element
        for element in _with_properties()(tree)
        if "articleBody" in element.get("itemprop").split() and element.tag not in _NO_BODY
    ]
    if not marked:
        return None
    for element in marked:
        for script in list(element.iter("script", "style")):
            drop(script)
    body = deepcopy(max(marked, key=lambda element: len(element.text_content())))
    body.tail = None
    page = body.makeelement("html")
    within = body.makeelement("body")
    page.append(within)
    within.append(body)
    return page


@cache
def _with_properties() -> Any:  # noqa: ANN401
    from lxml import etree  # noqa: PLC0415 - loaded with the first page

    return etree.XPath("//*[@itemprop]")


def join_chunks(tree: Any) -> Any:  # noqa: ANN401
    """Return ``tree`` with the parts of an article that advertisements split as one element. Changes ``tree``.

    Large publishers repeat one container for every stretch between two advertisements, and an extractor that picks
    the best container would lose the others.
    """
    chunks: dict[tuple[Any, str], list[Any]] = {}
    for element in tree.iter("div", "section"):
        name = element.get("class") or ""
        if _CHUNK.search(name) and (article := next(element.iterancestors("article", "main"), None)) is not None:
            chunks.setdefault((article, name), []).append(element)
    for first, *others in chunks.values():
        for other in others:
            if first not in other.iterancestors():
                first.append(other)
    return tree


def drop(element: Any) -> None:  # noqa: ANN401
    """Take ``element`` out of its tree and leave the text behind it in place."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def _tree(source: str) -> Any | None:  # noqa: ANN401
    from lxml import etree, html  # noqa: PLC0415 - loaded with the first page

    parser = html.HTMLParser(encoding="utf-8", collect_ids=False, remove_comments=True, remove_pis=True)
    try:
        return html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # nothing but white space or comments
        return None


def _depth_reached(tree: Any) -> bool:  # noqa: ANN401
    # The deepest element is looked for level by level from the last child, which is where the parser gave up.
    element, depth = tree, 0
    while len(element) and depth <= _DEEPEST:
        element, depth = element[-1], depth + 1
    return depth >= _DEEPEST


def _without(source: str, name: str) -> str:
    # A regular expression would look for the missing end of every unclosed element anew.
    kept: list[str] = []
    opening = re.compile(rf"<{name}\b", re.IGNORECASE)
    closing = re.compile(rf"</{name}\s*>", re.IGNORECASE)
    position = 0
    while (start := opening.search(source, position)) and (end := closing.search(source, start.end())):
        kept.append(source[position : start.start()])
        position = end.end()
    kept.append(source[position:])
    return "".join(kept)
