"""A concordance: the words of one article that a lexicon knows, and where they stand."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from worker.model import Article, Evidence
from worker.text import sentences, squeeze, tokens, words
from worker.topics.lexicon import Lexicon
from worker.topics.query import MAX_WITHIN
from worker.topics.terms import Term
from worker.topics.windows import Span

_LINE_BREAK = re.compile("\n")
#: Set between paragraphs and fields, so that no window reaches across.
_GAP = MAX_WITHIN + 1


class Concordance:
    """An article as rules see it. Everything is worked out when it is first asked for.

    Tokens are numbered through title and text. Offsets count through both as well: the text follows the title after
    one character.
    """

    def __init__(self, article: Article, lexicon: Lexicon) -> None:
        self.article = article
        self._lexicon = lexicon
        self._base = len(article.title) + 1
        self._hits: dict[str, list[Span]] = {}
        self._sets: dict[int, frozenset[int]] = {}

    @cached_property
    def atoms(self) -> set[int]:
        """The atoms that stand anywhere in the article."""
        known = self._lexicon
        written = {*words(self.article.title), *words(self.article.text)}
        return set().union(*[known[word] for word in written])

    @cached_property
    def offsets(self) -> list[Span]:
        """Start and end of each token."""
        title = [(t.start, t.end) for t in tokens(self.article.title)]
        return title + [(t.start + self._base, t.end + self._base) for t in tokens(self.article.text)]

    @cached_property
    def titled(self) -> int:
        """How many of the tokens stand in the title."""
        return len(words(self.article.title))

    @cached_property
    def paragraphs(self) -> list[int]:
        """The place of each token: one more than its neighbour's, and far more across a line break or field."""
        return self._places([found.start() for found in _LINE_BREAK.finditer(self._joined)])

    @cached_property
    def sentences(self) -> list[int]:
        """The place of each token, far from its neighbour's across the end of a sentence as well."""
        title, text = sentences(self.article.title), sentences(self.article.text)
        return self._places([*(a for a, _ in title), self._base, *(a + self._base for a, _ in text)])

    @cached_property
    def squeezed(self) -> list[str]:
        """Each token caseless and without accents."""
        text = self._joined
        return [squeeze(text[start:end]) for start, end in self.offsets]

    @cached_property
    def head(self) -> int:
        """How many tokens stand in the title and the first two sentences of the text."""
        first = sentences(self.article.text)[:2]
        return self.titled + (len(words(self.article.text[: first[-1][1]])) if first else 0)

    def gap(self, token: int) -> str:
        """Return what stands between ``token`` and the one before it."""
        return self._joined[self.offsets[token - 1][1] : self.offsets[token][0]]

    def hits(self, term: Term) -> list[Span]:
        """Return where ``term`` stands, in order, without repeats."""
        known = self._hits.get(term.source)
        if known is None:
            known = self._hits[term.source] = self._find(term)
        return known

    def evidence(self, span: Span) -> Evidence:
        """Return the words of ``span``, which lie in one field, as evidence."""
        first, last = span
        start, end = self.offsets[first][0], self.offsets[last][1]
        if first < self.titled:
            return Evidence(field="title", start=start, end=end, text=self.article.title[start:end])
        start, end = start - self._base, end - self._base
        return Evidence(field="text", start=start, end=end, text=self.article.text[start:end])

    def _find(self, term: Term) -> list[Span]:
        found: set[Span] = set()
        for sequence in self._lexicon.sequences(term):
            found.update(self._find_sequence(sequence))
        if term.field == "title":
            found = {span for span in found if span[0] < self.titled}
        elif term.field == "text":
            found = {span for span in found if span[0] >= self.titled}
        return sorted(found)

    def _find_sequence(self, sequence: Sequence[int]) -> list[Span]:
        if not all(atom in self.atoms for atom in sequence):
            return []
        if len(sequence) == 1:
            return [(token, token) for token in self._tokens.get(sequence[0], ())]
        places, reach = self.paragraphs, len(sequence) - 1
        rarest = min(range(len(sequence)), key=lambda nth: len(self._tokens[sequence[nth]]))
        starts = [token - rarest for token in self._tokens[sequence[rarest]] if token >= rarest]
        others = [(nth, self._set(atom)) for nth, atom in enumerate(sequence) if nth != rarest]
        return [
            (start, start + reach)
            for start in starts
            if all(start + nth in tokens_ for nth, tokens_ in others) and places[start + reach] - places[start] == reach
        ]

    @cached_property
    def _tokens(self) -> dict[int, list[int]]:
        """The tokens of each atom, in order."""
        text, known = self._joined, self._lexicon
        found: dict[int, list[int]] = {}
        for token, (start, end) in enumerate(self.offsets):
            for atom in known[text[start:end]]:
                found.setdefault(atom, []).append(token)
        return found

    def _set(self, atom: int) -> frozenset[int]:
        if atom not in self._sets:
            self._sets[atom] = frozenset(self._tokens[atom])
        return self._sets[atom]

    @cached_property
    def _joined(self) -> str:
        return f"{self.article.title}\n{self.article.text}"

    def _places(self, breaks: Sequence[int]) -> list[int]:
        return [token + _GAP * bisect_right(breaks, start) for token, (start, _) in enumerate(self.offsets)]
