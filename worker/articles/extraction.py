"""A page to an article's text, or to the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.articles.decoding import binary_kind, decode
from worker.articles.head import Head, language_of, read_head
from worker.articles.language import language_of_text
from worker.articles.quality import FEWEST_WORDS, SHORT_TEXT, judge
from worker.articles.short import short_text
from worker.articles.trees import bounded, join_chunks, marked_body, markup, parse, prune
from worker.errors import Unusable
from worker.model import Reason
from worker.text import sentences, terms

#: Characters; no article is longer, and what follows them is left out at the end of a sentence.
TEXT_MAX = 6_000_000
#: Detail of a body that is neither HTML nor plain text.
NOT_HTML = "not-html"

_META_CHARSET = re.compile(rb"""<meta[^<>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
#: Bytes in which a page must name its encoding. Source: HTML Standard, "determining the character encoding".
_CHARSET_WITHIN = 1024 * 4
#: Characters that XML 1.0 (section 2.2) forbids, as they are and by number: the extractor gives up on a page with one.
_CONTROLS = (*range(9), 11, 12, *range(14, 32))
_NO_CHARACTERS = ("\ufffe", "\uffff")
_NO_TEXT = (*map(chr, _CONTROLS), *_NO_CHARACTERS)
_CONTROL_BYTES = tuple(bytes((code,)) for code in _CONTROLS)
_NO_TEXT_NUMBER = re.compile(
    r"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])(?![0-9])|[xX]0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[efEF])(?![0-9a-fA-F])"
    r"|0*6553[45](?![0-9]));?"
)
_LIST_MARK = re.compile(r"^(?:[-*\u2022]\s+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """An article as its page shows it."""

    title: str
    #: Paragraphs parted by a line feed each, without the title.
    text: str
    #: ISO 639-1 code, from the page or else as the caller believed.
    language: str | None = None
    #: The page's own date, in UTC.
    published_at: datetime | None = None
    #: The page or its text was longer than the limits, and its end is missing.
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoText:
    """A page that shows no article, and what it shows instead."""

    #: One word, as ``worker.articles.quality`` names it, or ``not-html``.
    detail: str
    title: str = ""
    #: What the page says: a teaser may still be the best text there is.
    text: str = ""
    reason: Reason = Reason.NO_TEXT


def extract(
    html: bytes, *, url: str, charset: str | None, language: str | None = None, title: str = ""
) -> Extract | NoText:
    """Return the article in a page, or what the page is instead.

    ``charset`` is what the answer's Content-Type declared, ``language`` and ``title`` what the feed says; a text that
    begins with either title loses that line. The cost is bounded: a page above ``trees.HTML_MAX`` characters or
    ``trees.TAGS_MAX`` tags is read up to there.

    Raises:
        worker.errors.Unusable: the extractor failed on this page; its own error is the cause.
    """
    if (kind := binary_kind(html)) is not None:
        return NoText(detail=NOT_HTML, text=kind)
    source = _source(html, charset)
    try:
        return _extract(source, url=url, language=language, title=title)
    except Exception as error:  # a page is anybody's input, and one must not stop the others
        raise Unusable(f"{url}: the page could not be read ({type(error).__name__}: {error})") from error


def page_head(html: bytes, *, charset: str | None = None) -> Head:
    """Return what a page says about its article outside of the text; an empty ``Head`` when it is no page."""
    source = _source(html, charset)
    tree = parse(bounded(source)[0]) if markup(source) is not None else None
    return read_head(tree) if tree is not None else Head()


def tidy(text: str, *, titles: tuple[str, ...] = ()) -> str:
    """Return ``text`` with one paragraph a line, no list marks and no white space around or doubled in a line.

    Leading lines that say the same as one of ``titles`` go, unless nothing would remain.
    """
    lines = [line for raw in text.splitlines() if (line := _LIST_MARK.sub("", " ".join(raw.split())))]
    headlines = [words for title in titles if (words := terms(title))]
    start = 0
    while start < len(lines) - 1 and terms(lines[start]) in headlines:
        start += 1
    return "\n".join(lines[start:])


def shorten(text: str, limit: int = TEXT_MAX) -> str:
    """Return ``text``, or as much of it as ends with a sentence within ``limit`` characters."""
    if len(text) <= limit:
        return text
    base = max(0, limit - 5000)
    spans = sentences(text[base:limit])
    # The last sentence is the one that the limit cut, so it is left out, unless it is all there is.
    return text[: base + spans[-2][1]] if len(spans) > 1 else text[:limit]


def _source(html: bytes, charset: str | None) -> str:
    declared = _META_CHARSET.search(html[:_CHARSET_WITHIN])
    text = decode(html, charset, declared.group(1).decode("ascii", "replace") if declared else None).text
    # Every encoding that pages use writes control characters as ASCII does, or has such bytes in all it writes.
    if any(code in html for code in _CONTROL_BYTES) or any(code in text for code in _NO_CHARACTERS):
        text = _without_no_text(text)
    return _NO_TEXT_NUMBER.sub("", text) if b"&" in html and "&#" in text else text


def _without_no_text(text: str) -> str:
    # Looking for each by itself is twenty times faster than one expression that looks for all: hardly a page has any.
    for character in _NO_TEXT:
        if character in text:
            text = text.replace(character, "")
    return text


def _extract(source: str, *, url: str, language: str | None, title: str) -> Extract | NoText:
    if markup(source) is None:
        head, body, page_cut = Head(), source, False
        if source.lstrip()[:1] in {"{", "["}:
            return NoText(detail=NOT_HTML, text="JSON")
    else:
        source, page_cut = bounded(source)
        tree = parse(source)
        if tree is None:
            return NoText(detail=judge("", scripted="<script" in source) or NOT_HTML)
        head = read_head(tree)
        body = _text_of(prune(tree), url, head)
    text = tidy(body, titles=(title, *head.titles))
    headline = head.title or title
    if (detail := judge(text, title=headline, scripted="<script" in source)) is not None:
        return NoText(detail=detail, title=headline, text=shorten(text))
    return Extract(
        title=headline,
        text=shorten(text),
        language=head.language or language_of(language or "") or language_of_text(text),
        published_at=head.published_at,
        cut=page_cut or len(text) > TEXT_MAX,
    )


def _text_of(tree: Any, url: str, head: Head) -> str:  # noqa: ANN401 - lxml has no types
    marked = marked_body(tree)
    if marked is not None and len(terms(" ".join(marked.text_content().split())[:SHORT_TEXT])) >= FEWEST_WORDS:
        return _body(marked, url)
    body = short_text(tree, _body(join_chunks(tree), url), head.title)
    # A marked body without words waits for a script, and then what else the page says is hardly the article.
    return "" if marked is not None and len(body) <= SHORT_TEXT else body


def _body(tree: Any, url: str) -> str:  # noqa: ANN401 - lxml has no types
    from trafilatura import bare_extraction  # noqa: PLC0415 - a third of a second, and only pages need it

    # Recall and fast: equal F1 to the standard cascade at three quarters of its cost (61 news pages). Comments are not
    # the article's; tables may be its figures; dates and titles are read in worker.articles.head for a tenth of the
    # cost; repeated paragraphs may be meant.
    document = bare_extraction(
        tree, url=url, fast=True, favor_recall=True, include_comments=False, include_tables=True, with_metadata=False
    )
    return (document.text or "") if document is not None and not isinstance(document, dict) else ""
