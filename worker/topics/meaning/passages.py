"""Passages: the pieces of an article that may say what a topic asks for, with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.model import Article, Evidence
from worker.text import sentences

#: Characters; anything shorter says nothing ("Read more").
_LEAST = 12
#: A sentence longer than this is read in pieces: the models see about as many characters at once.
_MOST = 320
#: Passages of one article that are looked at: as many as ten megabytes of text have. They take a few seconds.
PASSAGES_MAX = 100_000
#: Where a long sentence may be cut, the better places first.
_CUTS = (re.compile(r"[;:—–]\s"), re.compile(r",\s"), re.compile(r"\s"))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article."""

    #: ``title`` or ``text``.
    field: str
    start: int
    end: int
    text: str

    def evidence(self) -> Evidence:
        """Return the passage as a span of the article."""
        return Evidence(field=self.field, start=self.start, end=self.end, text=self.text)


def passages(article: Article) -> tuple[Passage, ...]:
    """Return the title and the sentences of ``article``, in order; at most ``PASSAGES_MAX``."""
    spans = [("title", article.title, span) for span in _title(article.title)]
    spans += [
        ("text", article.text, piece) for span in sentences(article.text) for piece in _pieces(article.text, span)
    ]
    found = (
        Passage(field, start, end, text[start:end]) for field, text, (start, end) in spans if end - start >= _LEAST
    )
    return tuple(passage for passage, _ in zip(found, range(PASSAGES_MAX), strict=False))


def _title(title: str) -> list[tuple[int, int]]:
    stripped = title.strip()
    start = title.find(stripped)
    return [(start, start + len(stripped))] if stripped else []


def _pieces(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return ``span`` cut where it may be, so that no piece is longer than the models read."""
    start, end = span
    pieces = []
    while end - start > _MOST:
        half, most = start + _MOST // 2, start + _MOST
        cut = next((found[-1].end() for cuts in _CUTS if (found := list(cuts.finditer(text, half, most)))), most)
        pieces.append((start, start + len(text[start:cut].rstrip())))
        start = cut
    pieces.append((start, end))
    return pieces
