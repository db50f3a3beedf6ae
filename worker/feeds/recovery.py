"""The markup of a feed document, made well-formed and harmless before a parser sees it.

Parsers of feeds have costs that grow with the square of what a stranger writes, and a strict parser that gives up is
followed by a loose one that guesses. So the document is gone through once, in linear time, and written anew: every
element is closed, every reference resolves, and what no entry is made of is left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Entries of one document that are read; more is no news feed (mediacloud/rss-fetcher uses the same figure).
MAX_ENTRIES = 2000
#: Elements inside of one another; what is deeper is left out.
_DEEPEST = 100
#: Characters of one tag with its attributes; a longer one holds no address that could be used.
_LONGEST_TAG = 16_384
_LONGEST_NAME = 200
#: Marks of markup in a document, and elements that a parser gets to see: 30 in each of 2,000 entries.
_MOST_MARKS, _MOST_ELEMENTS = 500_000, 60_000
#: Characters in one entry.
_LONGEST_ITEM = 1_500_000
#: Distinct declarations of namespaces: feedparser goes through all of them at every element that it does not know.
_NAMESPACES = 200
#: Characters of the channel, around its items, that are kept apart for the hints.
_HEAD, _TAIL = 64 * 1024, 16 * 1024

# Below, names are without prefix and in lower case.
# No entry is made of these, and each can stop a parser: an author of 8 kB costs half a second
# (https://github.com/kurtmckee/feedparser/issues/562), every category is compared to all others, and feedparser
# fails on a text input or an image in an unexpected place.
_LEFT_OUT = frozenset({
    "author", "creator", "contributor", "managingeditor", "webmaster", "owner", "publisher",
    "category", "keywords", "tags", "subject", "image", "textinput",
})  # fmt: skip
#: All that an entry, or the page of a news sitemap, is made of.
_KEPT = frozenset({
    "guid", "id", "link", "origlink", "title", "source", "description", "summary", "abstract", "content", "encoded",
    "fullitem", "body", "pubdate", "published", "issued", "updated", "modified", "date", "created",
})  # fmt: skip
#: Prefixes of what describes pictures, sounds and places, by the names that everybody gives them, and what of it may
#: be the only text of an entry.
_DESCRIBED = frozenset({"description", "summary", "group"})
_OTHER_THINGS = frozenset({"media", "itunes", "podcast", "googleplay", "georss", "geo", "gml", "psc", "image", "video"})
#: Elements that hold a text: what is inside of them is markup of HTML.
_TEXTS = frozenset({"title", "description", "summary", "abstract", "content", "encoded", "fullitem", "body"})
#: Elements of HTML that part paragraphs, and those that nobody sees.
_BLOCKS = frozenset({
    "p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "tr", "table", "figure",
    "section", "article", "hr", "pre", "dd", "dt",
})  # fmt: skip
_UNSHOWN = frozenset({"script", "style"})
_ITEMS = frozenset({"item", "entry"})
_FRAME = frozenset({"item", "entry", "channel", "feed", "rss", "rdf", "urlset", "url"})

#: Where markup may begin; any other "<" is one that was not escaped.
_MARK = re.compile(r"<(?=[/!?]|[^\W\d])")
_TAG = re.compile(
    # Possessive, so that an attribute without an end is looked at once. An apostrophe in an attribute without quotes
    # is what the second form is for.
    r"<(/?)([^\W\d][\w.:-]*+)((?:/|\s(?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)?)>"
    r"|<(/?)([^\W\d][\w.:-]*+)((?:/|\s[^<>]*+)?)>"
)
_DECLARATION_STOPS = re.compile(r"[\[<>]")
_NAMESPACE = re.compile(r"xmlns(?::[\w.-]{1,100})?\s{0,9}=\s{0,9}[\"'][^\"'<>]{0,500}")
_BARE = re.compile(r"&(?!#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)")
_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(?:#[xX]([0-9a-fA-F]+)|#([0-9]+)|(\w+));")
#: Characters that XML 1.0 (section 2.2) forbids.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A document that is well-formed as far as its elements and references go."""

    text: str
    #: The channel without its items, or as much of it as hints need.
    channel: str
    warnings: tuple[str, ...] = ()
    #: The document ends before its elements do. An entry that was cut is left out: half an identity is a wrong one.
    cut: bool = False


def without_forbidden(text: str) -> str:
    """Return ``text`` without the characters that no XML document may hold."""
    return _FORBIDDEN.sub("", text)


def clean(text: str, start: int = 0) -> Cleaned:
    """Return the document whose root's tag begins at ``start``; what follows the root's end is not read."""
    writer = _Writer()
    for number, (kind, token, attributes) in enumerate(_tokens(text, start)):
        if number >= _MOST_MARKS:
            writer.stop("too much markup")
        elif kind == "start":
            writer.start(token, attributes)
        elif kind == "end":
            writer.end(token)
        else:
            writer.data(token, cdata=kind == "cdata")
        if writer.done:
            break
    return writer.finished()


def _tokens(text: str, start: int) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name or text, and attributes; comments, instructions and declarations are no part of a feed.

    A mark that begins something that never ends is left out, and what follows it is read as if it were not there.
    """
    at, unended = start, set[str]()
    while begins := _MARK.search(text, at):
        mark = begins.start()
        if mark > at:
            yield "text", text[at:mark], ""
        found = _TAG.match(text, mark)
        if found:
            slash, name, attributes = found.group(1, 2, 3) if found[2] else found.group(4, 5, 6)
            yield "end" if slash else "start", name, attributes
            at = found.end()
        elif text.startswith("<![CDATA[", mark):
            end = text.find("]]>", mark + 9)
            yield "cdata", text[mark + 9 : end if end >= 0 else len(text)], ""
            at = end + 3 if end >= 0 else len(text)
        else:
            at = _passed_over(text, mark, unended)
            yield "text", "<" if at == mark else "", ""
            at += at == mark
    yield "text", text[at:], ""


def _passed_over(text: str, mark: int, unended: set[str]) -> int:
    """Return where a comment, instruction or declaration ends; ``mark`` itself when there is none."""
    if text.startswith("<!--", mark):
        return _end(text, mark + 4, "-->", unended)
    if text.startswith("<?", mark):
        return _end(text, mark + 2, "?>", unended)
    if not text.startswith("<!", mark):
        return mark
    found = _DECLARATION_STOPS.search(text, mark + 2)
    if found is None or found[0] == "<":
        return mark + 2
    if found[0] == ">":
        return found.end()
    # An internal subset, with the entities of a bomb or a thief in it.
    return _end(text, _end(text, found.end(), "]", unended), ">", unended)


def _end(text: str, start: int, mark: str, unended: set[str]) -> int:
    # A mark that was missing once is missing for the rest of the document, so that nothing is looked through twice.
    end = -1 if mark in unended else text.find(mark, start)
    if end < 0:
        unended.add(mark)
        return start
    return end + len(mark)


def _mended(text: str) -> str:
    """Return ``text`` with every reference one that XML knows (HTML's names and bare ampersands are not)."""
    return _REFERENCE.sub(_character, _BARE.sub("&amp;", text))


def _character(reference: re.Match[str]) -> str:
    if reference[3]:
        named = html.unescape(reference[0])
        return named if named != reference[0] else f"&amp;{reference[0][1:]}"
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    if number > 0x10FFFF:  # noqa: PLR2004 - the last character of Unicode
        return "\ufffd"
    # Numbers of Windows-1252 stay: their meaning is feedparser's business.
    return "" if _FORBIDDEN.match(chr(number)) else f"&#{number};"


class _Writer:
    """What has been written of a document, and which elements are open."""

    def __init__(self) -> None:
        self._out: list[str] = []
        #: Open elements, and whether they were written.
        self._open: list[tuple[str, bool]] = []
        #: How many of them were not, and how many more are open that are too deep to follow.
        self._hidden = self._deeper = 0
        #: Whether the innermost element holds a text.
        self._in_text = False
        self._namespaces: set[str] = set()
        self._elements, self._items, self._room = 0, 0, _LONGEST_ITEM
        #: Where in ``_out`` the newest item begins while it is open, where the first began and the last one ended.
        self._item_at, self._first_at, self._last_at = -1, -1, 0
        self._warnings: dict[str, None] = {}
        #: Whether the root has ended, or the rest is not read.
        self.done = False
        self._stopped = False

    def stop(self, why: str) -> None:
        """Read no more of the document."""
        self._warn(f"{why}: the rest is not read")
        self.done = self._stopped = True

    def start(self, name: str, attributes: str) -> None:
        """Write the beginning of an element, or leave it out."""
        prefix, _, local = name.lower().rpartition(":")
        if local in _ITEMS:
            if not self._new_item(name):
                return
        elif self._in_text:
            self._inside_text(name, local, attributes)
            return
        if len(self._open) >= _DEEPEST:
            self._warn(f"elements nested more than {_DEEPEST} deep")
            self._deeper += not attributes.endswith("/")
            return
        self._push(name, local, attributes, shown=self._wanted(prefix, local) and len(name) <= _LONGEST_NAME)

    def end(self, name: str) -> None:
        """Write the end of an element, and before it that of every element inside that nobody closed."""
        local = _local(name)
        if self._deeper:
            if local not in _FRAME:
                self._deeper -= 1
                return
            self._deeper = 0
        if self._open and self._open[-1][0] == name:
            self._close()
        elif self._in_text and local not in _FRAME and local not in _TEXTS:
            self._out.append("\n" if local in _BLOCKS else "")
        else:
            self._end_outer(name.lower())
        self.done = self.done or not self._open

    def data(self, text: str, *, cdata: bool) -> None:
        """Write text, its references mended."""
        if self._hidden or not text:
            return
        if len(text) > self._room:
            self._warn("an entry that is too long")
            text = text[: self._room]
        self._room -= len(text)
        if cdata:
            # The same to a parser of XML, and nothing that a loose one or a pattern could take for markup.
            self._out.append(html.escape(text, quote=False))
            return
        if "&" in text:
            text = _mended(text)
        if "<" in text:
            text = text.replace("<", "&lt;")
            self._warn("a < that begins no element")
        self._out.append(text.replace("]]>", "]]&gt;") if "]]>" in text else text)

    def finished(self) -> Cleaned:
        """Return the document, every element closed."""
        cut = bool(self._open) and not self.done
        if cut:
            self._warn("the end is missing")
        if self._open and (cut or self._stopped):
            self._drop_item()
        while self._open:
            self._close()
        channel = "".join(self._out[: self._first_at if self._first_at >= 0 else None])[:_HEAD]
        tail = "".join(self._out[self._last_at :])[:_TAIL] if self._first_at >= 0 else ""
        return Cleaned(text="".join(self._out), channel=channel + tail, warnings=tuple(self._warnings), cut=cut)

    def _wanted(self, prefix: str, local: str) -> bool:
        if self._hidden or local in _LEFT_OUT:
            return False
        # In the channel anything may be a hint; entries are made of little.
        return self._item_at < 0 or local in _ITEMS or local in (_DESCRIBED if prefix in _OTHER_THINGS else _KEPT)

    def _push(self, name: str, local: str, attributes: str, *, shown: bool) -> None:
        empty = attributes.endswith("/")
        if shown:
            self._elements += 1
            if self._elements > _MOST_ELEMENTS:
                self.stop("too many elements")
                return
            self._out.append(f"<{name}{self._allowed(attributes) if attributes else ''}>")
        if not empty:
            self._open.append((name, shown))
            self._hidden += not shown
            self._in_text = shown and local in _TEXTS
        elif local in _ITEMS:
            self._item_at, self._last_at = -1, len(self._out)

    def _inside_text(self, name: str, local: str, attributes: str) -> None:
        """Leave out a tag of HTML; all that matters of it is whether it parts paragraphs or hides what follows."""
        if local in _BLOCKS:
            self._out.append("\n")
        elif local in _UNSHOWN and not attributes.endswith("/"):
            self._push(name, local, "", shown=False)

    def _new_item(self, name: str) -> bool:
        """Return whether another entry may begin; what nobody closed before it ends here."""
        self._deeper = 0
        too_deep = len(self._open) >= _DEEPEST
        while (
            self._hidden or self._in_text or (too_deep and _local(self._open[-1][0]) not in _FRAME and self._open[1:])
        ):
            self._warn("elements that nobody closed")
            self._close()
        if (name, True) in self._open:
            self._end_outer(name.lower())
        if self._items >= MAX_ENTRIES:
            self.stop(f"more than {MAX_ENTRIES} entries")
            return False
        self._items += 1
        self._item_at, self._room = len(self._out), _LONGEST_ITEM
        if self._first_at < 0:
            self._first_at = self._item_at
        return True

    def _end_outer(self, name: str) -> None:
        if not any(name == opened.lower() for opened, _ in reversed(self._open)):
            self._warn("an end of an element that never began")
            return
        if self._open[-1][0].lower() != name:
            self._warn("elements that nobody closed")
        while self._open[-1][0].lower() != name:
            self._close()
        self._close()

    def _close(self) -> None:
        name, shown = self._open.pop()
        if shown:
            self._out.append(f"</{name}>")
        else:
            self._hidden -= 1
        if shown and _local(name) in _ITEMS:
            self._item_at, self._last_at = -1, len(self._out)
        self._in_text = bool(self._open) and self._open[-1][1] and _local(self._open[-1][0]) in _TEXTS

    def _drop_item(self) -> None:
        """Take back an entry that is open: half of an identity is another identity."""
        for depth, (name, shown) in enumerate(self._open):
            if shown and _local(name) in _ITEMS:
                self._warn("an entry that is not whole was left out")
                del self._out[self._item_at :]
                del self._open[depth:]
                self._hidden = 0
                self._last_at = min(self._last_at, len(self._out))
                return

    def _allowed(self, attributes: str) -> str:
        end = "/" if attributes.endswith("/") else ""
        if len(attributes) > _LONGEST_TAG:
            self._warn("an attribute that is too long")
            return end
        if "xmlns" in attributes:
            self._namespaces.update(_NAMESPACE.findall(attributes))
            if len(self._namespaces) > _NAMESPACES:
                self._warn(f"more than {_NAMESPACES} namespaces")
                return end
        return _mended(attributes) if "&" in attributes else attributes

    def _warn(self, text: str) -> None:
        self._warnings[text] = None


def _local(name: str) -> str:
    """Return the name of an element without its prefix, in lower case."""
    return name.rpartition(":")[2].lower()
