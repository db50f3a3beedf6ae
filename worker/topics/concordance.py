"""A concordance: the words of one article that a lexicon knows, and where they stand."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, chain

from worker.model import Article, Evidence
from worker.text import sentences, squeeze, tokens, words
from worker.topics.lexicon import Lexicon
from worker.topics.query import MAX_WITHIN
from worker.topics.terms import Term
from worker.topics.windows import Span

#: Set between paragraphs and fields, so that no window reaches across.
_GAP = MAX_WITHIN + 1
_LINE_BREAK = re.compile("\n")
_HEAD_SENTENCES = 2
#: Characters in which three sentences usually end.
_HEAD = 1500


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
        self._known_offsets: dict[int, list[Span]] = {}
        self._sets: dict[int, frozenset[int]] = {}

    @cached_property
    def atoms(self) -> set[int]:
        """The atoms that stand anywhere in the article."""
        written = {*words(self.article.title), *words(self.article.text)}
        return set(chain.from_iterable(map(self._lexicon.__getitem__, written)))

    @cached_property
    def titled(self) -> int:
        """How many of the tokens stand in the title."""
        return len(words(self.article.title))

    @cached_property
    def paragraphs(self) -> list[int]:
        """The place of each token: one more than its neighbour's, and far more across a line break or field."""
        counts = enumerate(map(len, self._lines))
        gaps = [nth * _GAP for nth, count in counts for _ in range(count)]
        return [token + gap for token, gap in enumerate(gaps)]

    @cached_property
    def sentences(self) -> list[int]:
        """The place of each token, far from its neighbour's across the end of a sentence as well."""
        title, text = sentences(self.article.title), sentences(self.article.text)
        starts = [*(start for start, _ in title), *(start + self._base for start, _ in text)]
        tokens_ = chain.from_iterable(map(self._offsets, range(len(self._lines))))
        return [token + _GAP * bisect_right(starts, start) for token, (start, _) in enumerate(tokens_)]

    @cached_property
    def squeezed(self) -> list[str]:
        """Each token caseless and without accents."""
        return list(map(squeeze, self._written))

    @cached_property
    def head(self) -> int:
        """How many tokens stand in the title and the first two sentences of the text."""
        text = self.article.text
        # Three sentences of a part show where the first two end; only a long sentence asks for the whole.
        first = sentences(text[:_HEAD])
        first = (first if len(first) > _HEAD_SENTENCES else sentences(text))[:_HEAD_SENTENCES]
        return self.titled + (len(words(text[: first[-1][1]])) if first else 0)

    def gap(self, token: int) -> str:
        """Return what stands between ``token`` and the one before it."""
        return self._joined[self._offset(token - 1)[1] : self._offset(token)[0]]

    def hits(self, term: Term) -> list[Span]:
        """Return where ``term`` stands, in order, without repeats."""
        known = self._hits.get(term.source)
        if known is None:
            known = self._hits[term.source] = self._find(term)
        return known

    def evidence(self, span: Span) -> Evidence:
        """Return the words of ``span``, which lie in one field, as evidence."""
        first, last = span
        start, end = self._offset(first)[0], self._offset(last)[1]
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
        known = self._lexicon
        found: dict[int, list[int]] = {}
        for token, word in enumerate(self._written):
            for atom in known[word]:
                found.setdefault(atom, []).append(token)
        return found

    def _set(self, atom: int) -> frozenset[int]:
        if atom not in self._sets:
            self._sets[atom] = frozenset(self._tokens[atom])
        return self._sets[atom]

    @cached_property
    def _lines(self) -> list[list[str]]:
        """The words of each line, as written, the title's first: no word and no window reaches across lines."""
        return [words(self._joined[begin:end]) for begin, end in self._line_spans]

    @cached_property
    def _line_ends(self) -> list[int]:
        """For each line the number of the token after its last."""
        return list(accumulate(map(len, self._lines)))

    def _offset(self, token: int) -> Span:
        line = bisect_right(self._line_ends, token)
        return self._offsets(line)[token - self._line_ends[line]]  # counted from the end of the line

    def _offsets(self, line: int) -> list[Span]:
        """Return start and end of each token of a line, worked out only for lines that are asked for."""
        if line not in self._known_offsets:
            begin, end = self._line_spans[line]
            found = tokens(self._joined[begin:end])
            self._known_offsets[line] = [(token.start + begin, token.end + begin) for token in found]
        return self._known_offsets[line]

    @cached_property
    def _line_spans(self) -> list[Span]:
        ends = [found.start() for found in _LINE_BREAK.finditer(self._joined)]
        return list(zip([0, *(end + 1 for end in ends)], [*ends, len(self._joined)], strict=True))

    @cached_property
    def _written(self) -> list[str]:
        return list(chain.from_iterable(self._lines))

    @cached_property
    def _joined(self) -> str:
        return f"{self.article.title}\n{self.article.text}"
