"""HTML to a tree that is safe and cheap to read."""

from __future__ import annotations

import re
from typing import Any

from worker.text import terms

#: Characters of HTML, without scripts and styles; what follows them is not read.
HTML_MAX = 2_000_000
#: Tags; extraction costs about 30 microseconds a tag, so this bounds a page to a few seconds.
TAGS_MAX = 100_000
#: Words; a marked body with fewer waits for a script to fill it.
_FEWEST_MARKED_WORDS = 4
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
# By role (WAI-ARIA 1.2) or element, these parts of a page are never its article.
_FURNITURE = (
    "//nav | //footer[not(ancestor::blockquote)] | //form | //button | //select | //dialog | //*[@hidden]"
    " | //*[@aria-hidden='true'][self::div or self::section or self::span]"
    " | //*[@role='navigation' or @role='search' or @role='banner' or @role='contentinfo' or @role='dialog'"
    " or @role='alertdialog' or @role='complementary']"
)


def markup(source: str) -> re.Match[str] | None:
    """Return the first tag in ``source``; a source without any is plain text."""
    return _MARKUP.search(source)


def bounded(source: str) -> tuple[str, bool]:
    """Return ``source`` within ``HTML_MAX`` and ``TAGS_MAX``, and whether anything that may be text was left out.

    A page above the limits first loses its scripts and styles, which often are nine tenths of it.
    """
    if len(source) > HTML_MAX or source.count("<") > TAGS_MAX:
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
    """Return ``tree`` without the parts that by their element or role are never an article. Changes ``tree``."""
    for element in tree.xpath(_FURNITURE):
        drop(element)
    return tree


def marked_body(tree: Any) -> Any | None:  # noqa: ANN401
    """Return a page that holds only what the publisher marked as the article's body, or ``None`` without a mark.

    Source: schema.org, Article, articleBody, as microdata. Changes ``tree``.
    """
    marked = tree.xpath("//*[contains(concat(' ', normalize-space(@itemprop), ' '), ' articleBody ')][not(self::meta)]")
    if not marked:
        return None
    for element in marked:
        for script in list(element.iter("script", "style")):
            drop(script)
    body = max(marked, key=lambda element: len(element.text_content()))
    if len(terms(body.text_content())) < _FEWEST_MARKED_WORDS:
        return None
    page = body.makeelement("html")
    within = body.makeelement("body")
    page.append(within)
    body.tail = None
    within.append(body)
    return page


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
    from lxml import etree, html

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
