"""Evidence in the text that it is taken from: offsets become marks, and everything else stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

from worker.console.visible import visible
from worker.model import Article, Evidence

#: Characters of a paragraph that are shown on either side of its evidence.
_AROUND: Final = 400

Span = tuple[int, int]


def marked(text: str, spans: Iterable[Span]) -> Markup:
    """Return ``text`` with its ``spans`` marked; those that touch or overlap become one, those outside are cut."""
    parts, end = [], 0
    for start, stop in _joined(spans, len(text)):
        parts += [_escaped(text[end:start]), Markup("<mark>{}</mark>").format(_escaped(text[start:stop]))]
        end = stop
    return Markup("").join([*parts, _escaped(text[end:])])


def spans(article: Article, evidence: Iterable[Evidence], field: str) -> list[Span]:
    """Return where evidence stands in a field of an article: not where the article has changed since."""
    source = article.title if field == "title" else article.text
    return [(e.start, e.end) for e in evidence if e.field == field and source[e.start : e.end] == e.text]


def passages(article: Article, evidence: Sequence[Evidence]) -> list[Markup]:
    """Return the paragraphs of an article's text in which evidence stands, in their order, each once.

    Of evidence that the article, as it is now, does not hold any more its own words follow.
    """
    found = [
        _excerpt(article.text[start:stop], inside)
        for start, stop, inside in _paragraphs(article.text, spans(article, evidence, "text"))
    ]
    source = {"title": article.title, "text": article.text}
    gone = [e.text for e in evidence if source.get(e.field, "")[e.start : e.end] != e.text]
    return found + [marked(text, [(0, len(text))]) for text in gone]


def paragraphs(text: str, all_spans: Iterable[Span]) -> list[Markup]:
    """Return every paragraph of ``text`` that is not blank, with the spans in it marked."""
    found, chosen, start = [], _joined(all_spans, len(text)), 0
    for line in text.split("\n"):
        stop = start + len(line)
        if line.strip():
            found.append(marked(line, [(a - start, b - start) for a, b in chosen if a < stop and b > start]))
        start = stop + 1
    return found


def _paragraphs(text: str, all_spans: Iterable[Span]) -> list[tuple[int, int, list[Span]]]:
    """Return the paragraphs with spans in them: where each begins and ends, and the spans from its beginning on."""
    found: dict[Span, list[Span]] = {}
    for a, b in _joined(all_spans, len(text)):
        start = text.rfind("\n", 0, a) + 1
        stop = text.find("\n", b)
        stop = len(text) if stop < 0 else stop
        found.setdefault((start, stop), []).append((a - start, b - start))
    return [(start, stop, inside) for (start, stop), inside in found.items()]


def _excerpt(paragraph: str, inside: Sequence[Span]) -> Markup:
    """Return a paragraph, cut where it goes on for long on either side of what is marked."""
    first, last = inside[0][0], inside[-1][1]
    start, stop = max(0, first - _AROUND), min(len(paragraph), last + _AROUND)
    before, after = "…" if start else "", "…" if stop < len(paragraph) else ""
    body = marked(paragraph[start:stop], [(a - start, b - start) for a, b in inside])
    return escape("").join([before, body, after])


def _joined(spans: Iterable[Span], length: int) -> list[Span]:
    """Return spans inside a text in their order, those that touch as one."""
    joined: list[Span] = []
    for start, stop in sorted((max(0, a), min(length, b)) for a, b in spans):
        if start >= stop:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _escaped(text: str) -> Markup:
    return escape(visible(text))
