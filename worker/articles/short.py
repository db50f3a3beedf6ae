"""Short articles: what stands below the headline when the extractor cannot tell it from its surroundings.

Extractors weigh texts by length, so a brief of two sentences loses against the list of links beside it. On such
pages the names of the elements say more: what is called "byline", "related" or "newsletter" goes, and the
paragraphs below the headline that the extractor saw too remain.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from worker.text import terms

#: Characters; a text from the extractor that is longer is taken as it is.
UNSURE_BELOW = 600
#: Share of the words found here that the extractor must have seen as well.
_AGREEMENT = 0.8
_FEWEST_WORDS = 4

_FURNITURE_NAME = re.compile(
    r"(?:^|[\s_-])(?:by-?lines?|authors?|meta|share|sharing|social|related|recommend\w*|more-(?:on|stories|news)|newsletter"
    r"|subscri\w+|sign-?up|comments?|cookies?|consent|gdpr|breadcrumbs?|advert\w*|ads?|sponsor\w*|promo\w*|sidebar|nav"
    r"|navigation|menu|footer|masthead|site-(?:header|name)|captions?|credits?|tags|timestamp|skip-link|toolbar)(?:$|[\s_-])",
    re.IGNORECASE,
)
_NEVER = frozenset(
    ("script", "style", "noscript", "template", "svg", "nav", "aside", "footer", "form", "button", "select", "figure",
     "iframe", "time", "address", "dialog", "head", "textarea", "label", "video", "audio")
)  # fmt: skip
_INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q",
     "s", "samp", "small", "span", "strong", "sub", "sup", "u", "var", "wbr")
)  # fmt: skip
#: These may carry a telling name for the whole page ("has-sidebar"), so their names say nothing.
_FRAMES = frozenset(("html", "body", "main", "article"))


def short_text(tree: Any, extracted: str, title: str) -> str:  # noqa: ANN401 - lxml has no types
    """Return the lines below the headline ``title`` if they are what ``extracted`` holds besides furniture, else it."""
    if len(extracted) > UNSURE_BELOW:
        return extracted
    lines = _below_headline(tree, title)
    found, seen = Counter(terms("\n".join(lines))), Counter(terms(f"{title}\n{extracted}"))
    agreed = sum((found & seen).values())
    if found.total() < _FEWEST_WORDS or agreed < found.total() * _AGREEMENT:
        return extracted
    return "\n".join(lines)


def _below_headline(tree: Any, title: str) -> list[str]:  # noqa: ANN401
    wanted = terms(title)
    lines: list[str] = []
    for tag, line in _blocks(tree):
        if tag == "h1":
            if terms(line) == wanted:
                lines.clear()
        elif line:
            lines.append(line)
    return lines


def _blocks(tree: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    # Every run of text between the edges of block elements, with the element that holds it.
    words: list[str] = []
    block = ""
    for tag, text in _runs(tree):
        if tag != "":
            yield block, " ".join("".join(words).split())
            words.clear()
            block = tag
        words.append(text)
    yield block, " ".join("".join(words).split())


def _runs(element: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    # (name of the block that begins or goes on, its text); an empty name goes on with the line.
    tag = element.tag
    if not isinstance(tag, str) or tag in _NEVER or _furniture(element):
        return
    block = "" if tag in _INLINE else tag
    yield block, element.text or ""
    for child in element:
        yield from _runs(child)
        after = "" if isinstance(child.tag, str) and child.tag in _INLINE else (block or "span")
        yield after, child.tail or ""


def _furniture(element: Any) -> bool:  # noqa: ANN401
    if element.tag in _FRAMES:
        return False
    named = _FURNITURE_NAME.search(f"{element.get('class') or ''} {element.get('id') or ''}")
    # A frame called "with-sidebar" that holds the headline holds the article as well.
    return bool(named) and element.find(".//h1") is None
