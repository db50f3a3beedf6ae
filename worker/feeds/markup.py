"""Markup inside of feeds: to plain text, and to the attributes of one tag."""

from __future__ import annotations

import html
import re

#: Characters of a text that are kept.
TEXT_MAX = 1_000_000
_BLOCK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|h[1-6]|blockquote|tr|table|figure|section|article)\b[^<>]{0,2000}>", re.IGNORECASE
)
_UNSHOWN = re.compile(r"<(?:(script)|(style)|!--)", re.IGNORECASE)
_END_OF = {
    "script": re.compile(r"</script", re.IGNORECASE),
    "style": re.compile(r"</style", re.IGNORECASE),
    "": re.compile(r"--+!?>"),
}
_TAG = re.compile(r"<[!/?a-zA-Z][^<>]{0,20000}>")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")
_ATTRIBUTE = re.compile(r"([\w:.-]{1,100})\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))")


def plain(markup: str) -> str:
    """Return ``markup`` without tags and entities, paragraphs parted by a line break. Time is linear.

    This makes text for reading and matching. It is no defence: escape the result wherever it is shown.
    """
    text = markup
    if "<" in text:
        text = _TAG.sub("", _BLOCK.sub("\n", _without_unshown(text)))
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("\x00", "")
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()[:TEXT_MAX]


def attributes(tag: str) -> dict[str, str]:
    """Return the attributes of a tag, names in lower case, entities resolved."""
    return {
        name.lower(): html.unescape(double or single or bare) for name, double, single, bare in _ATTRIBUTE.findall(tag)
    }


def _without_unshown(markup: str) -> str:
    """Return ``markup`` without scripts, styles and comments; one that never ends takes the rest with it."""
    kept, start = [], 0
    while found := _UNSHOWN.search(markup, start):
        kept.append(markup[start : found.start()])
        end = _END_OF[(found[1] or found[2] or "").lower()].search(markup, found.end())
        if end is None:
            return "".join(kept)
        start = end.start() if found[1] or found[2] else end.end()
    return "".join((*kept, markup[start:]))
