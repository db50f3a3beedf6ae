"""A concordance: the words of one article that a lexicon knows, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from worker.model import Article, Evidence
from worker.text import first_sentences, plain, sentences, squeezed, word_pattern, words
from worker.topics.atoms import Atoms
from worker.topics.letters import words_of
from worker.topics.lexicon import Lexicon
from worker.topics.query import MAX_WITHIN
from worker.topics.terms import Term
from worker.topics.windows import Span

#: Set between paragraphs and fields, so that no window reaches across.
_GAP = MAX_WITHIN + 1
_LINE_BREAK = re.compile("\n")
_HEAD_SENTENCES = 2


class Concordance:
    """An article as rules see it. What not every article needs is worked out when it is first asked for.

    Tokens are numbered through title and text. Offsets count through both as well: the text follows the title after
    one character, a line break.
    """

    def __init__(self, article: Article, lexicon: Lexicon) -> None:
        self.article = article
        self._base = len(article.title) + 1
        self._text = f"{article.title}\n{article.text}"
        self._plain = plain(self._text)
        if self._plain is None:
            codes = np.array([lexicon[word] for word in self._words], np.int64)
        else:
            self._cut = words_of(self._plain)
            self._starts = self._cut.starts
            codes = lexicon.codes(self._cut)
        #: The atoms that stand in the article, and where.
        self.atoms = Atoms(codes, len(lexicon.names), lexicon.several)
        #: How many tokens there are.
        self.count = len(codes)
        #: The first token of which it is known that it does not stand in the head.
        self._outside = self.count
        self._sequences = lexicon.sequences
        self._hits: dict[str, list[Span]] = {}
        self._evidence: dict[Span, Evidence] = {}

    @cached_property
    def titled(self) -> int:
        """How many of the tokens stand in the title."""
        return int(self._starts.searchsorted(self._base))

    @cached_property
    def paragraphs(self) -> list[int]:
        """The place of each token: one more than its neighbour's, and far more across a line break or field."""
        return self._places([found.start() for found in _LINE_BREAK.finditer(self._text)])

    @cached_property
    def sentences(self) -> list[int]:
        """The place of each token, far from its neighbour's across the end of a sentence as well."""
        title, text = sentences(self.article.title), sentences(self.article.text)
        return self._places([*(start for start, _ in title), *(start + self._base for start, _ in text)])

    @cached_property
    def squeezed(self) -> list[str]:
        """Each token caseless and without accents."""
        return squeezed(self._words)

    def is_in_head(self, token: int) -> bool:
        """Return whether ``token`` stands in the title or in the first two sentences of the text."""
        if token >= self._outside:
            return False
        start = self._starts.item(token)
        is_in = start < self._base or (not self._has_lines_before(start) and start < self._head_end)
        if not is_in:
            self._outside = token
        return is_in

    def gap(self, token: int) -> str:
        """Return what stands between ``token`` and the one before it."""
        return self._text[self._end(token - 1) : self._starts.item(token)]

    def hits(self, term: Term) -> list[Span]:
        """Return where ``term`` stands, in order, without repeats."""
        known = self._hits.get(term.source)
        if known is None:
            ways = [way for way in self._sequences[term.source] if self.atoms.present.issuperset(way)]
            known = self._hits[term.source] = self._find(term, ways) if ways else []
        return known

    def evidence(self, span: Span) -> Evidence:
        """Return the words of ``span``, which lie in one field, as evidence."""
        known = self._evidence.get(span)
        if known is None:
            known = self._evidence[span] = self._quote(span)
        return known

    def _quote(self, span: Span) -> Evidence:
        start, end = self._starts.item(span[0]), self._end(span[1])
        text = self._text[start:end]
        if start < self._base:
            return Evidence(field="title", start=start, end=end, text=text)
        return Evidence(field="text", start=start - self._base, end=end - self._base, text=text)

    def _find(self, term: Term, ways: list[tuple[int, ...]]) -> list[Span]:
        """Return where ``term`` stands in one of some ways of writing it, whose atoms stand somewhere."""
        if len(ways) == 1:
            found = self._find_sequence(ways[0])
        else:
            found = sorted({span for way in ways for span in self._find_sequence(way)})
        if term.field:
            in_title = term.field == "title"
            return [span for span in found if (span[0] < self.titled) is in_title]
        return found

    def _find_sequence(self, sequence: Sequence[int]) -> list[Span]:
        """Return where atoms stand side by side in one line, in order."""
        if len(sequence) == 1:
            return self.atoms[sequence[0]]
        reach = len(sequence) - 1
        starts = set.intersection(*({at - nth for at, _ in self.atoms[atom]} for nth, atom in enumerate(sequence)))
        return [(start, start + reach) for start in sorted(starts) if self._is_one_line(start, start + reach)]

    def _is_one_line(self, first: int, last: int) -> bool:
        return self._text.find("\n", self._starts.item(first), self._starts.item(last)) < 0

    def _places(self, breaks: Sequence[int]) -> list[int]:
        """Return the place of each token: its number, and a gap for each of the ``breaks`` (offsets) before it."""
        pieces = enumerate(pairwise([0, *self._starts.searchsorted(breaks).tolist(), self.count]))
        return list(chain.from_iterable(range(a + nth * _GAP, b + nth * _GAP) for nth, (a, b) in pieces))

    def _has_lines_before(self, start: int) -> bool:
        """Return whether as many lines of the text end before ``start`` as its head has sentences.

        A line has one at least, so that most words are seen not to stand in the head without a search for sentences.
        """
        lines = self._text[self._base : start].split("\n", _HEAD_SENTENCES)
        return len(lines) > _HEAD_SENTENCES and all(map(str.strip, lines[:_HEAD_SENTENCES]))

    @cached_property
    def _head_end(self) -> int:
        found = first_sentences(self.article.text, _HEAD_SENTENCES)
        return self._base + (found[-1][1] if found else 0)

    @cached_property
    def _words(self) -> list[str]:
        """The words, which squeeze and fold to what ``words`` finds; not always as written."""
        return words(self._text) if self._plain is None else self._plain.decode("ascii").split()

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        """The offsets of the tokens."""
        return np.array([found.start() for found in word_pattern(self._text).finditer(self._text)], np.intp)

    def _end(self, token: int) -> int:
        """Return the offset just after a token."""
        if self._plain is not None:
            return self._cut.ends.item(token)
        return self._starts.item(token) + len(self._words[token])
