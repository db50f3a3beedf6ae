"""A concordance: the words of one article that a lexicon knows, and where they stand."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, pairwise

from worker.model import Article, Evidence
from worker.text import Wording, first_sentences, sentences, squeezed, words
from worker.topics.lexicon import Lexicon
from worker.topics.positions import Positions
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
        self._wording = Wording(f"{article.title}\n{article.text}")
        codes = list(map(lexicon.__getitem__, self._wording.words))
        #: The atoms that stand anywhere in the article, and the codes of its words.
        self.atoms = set(codes)
        several = {code: lexicon.several[code] for code in lexicon.several.keys() & self.atoms}
        self.atoms.update(*several.values())
        #: Atoms that stand in the article to where they do.
        self.spans = Positions(codes, several)
        self._sequences = lexicon.sequences
        self._hits: dict[str, list[Span]] = {}
        self._evidence: dict[Span, Evidence] = {}

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return len(self._wording.words)

    @cached_property
    def titled(self) -> int:
        """How many of the tokens stand in the title."""
        return len(words(self.article.title))

    @cached_property
    def paragraphs(self) -> list[int]:
        """The place of each token: one more than its neighbour's, and far more across a line break or field."""
        return self._places([found.start() for found in _LINE_BREAK.finditer(self._wording.text)])

    @cached_property
    def sentences(self) -> list[int]:
        """The place of each token, far from its neighbour's across the end of a sentence as well."""
        title, text = sentences(self.article.title), sentences(self.article.text)
        return self._places([*(start for start, _ in title), *(start + self._base for start, _ in text)])

    @cached_property
    def squeezed(self) -> list[str]:
        """Each token caseless and without accents."""
        return squeezed(self._wording.words)

    def is_in_head(self, token: int) -> bool:
        """Return whether ``token`` stands in the title or in the first two sentences of the text."""
        start = self._wording.start(token)
        return start < self._base or start < self._head_end

    def gap(self, token: int) -> str:
        """Return what stands between ``token`` and the one before it."""
        return self._wording.text[self._wording.end(token - 1) : self._wording.start(token)]

    def hits(self, term: Term) -> list[Span]:
        """Return where ``term`` stands, in order, without repeats."""
        known = self._hits.get(term.source)
        if known is None:
            ways = [way for way in self._sequences[term.source] if self.atoms.issuperset(way)]
            known = self._hits[term.source] = self._find(term, ways) if ways else []
        return known

    def evidence(self, span: Span) -> Evidence:
        """Return the words of ``span``, which lie in one field, as evidence."""
        known = self._evidence.get(span)
        if known is None:
            known = self._evidence[span] = self._quote(span)
        return known

    def _quote(self, span: Span) -> Evidence:
        start, end = self._wording.start(span[0]), self._wording.end(span[1])
        text = self._wording.text[start:end]
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
            return self.spans[sequence[0]]
        reach = len(sequence) - 1
        starts = set.intersection(*({at - nth for at, _ in self.spans[atom]} for nth, atom in enumerate(sequence)))
        return [(start, start + reach) for start in sorted(starts) if self._is_one_line(start, start + reach)]

    def _is_one_line(self, first: int, last: int) -> bool:
        return self._wording.text.find("\n", self._wording.start(first), self._wording.start(last)) < 0

    def _places(self, breaks: Sequence[int]) -> list[int]:
        """Return the place of each token: its number, and a gap for each of the ``breaks`` (offsets) before it."""
        starts = self._wording.starts
        pieces = enumerate(pairwise([0, *(bisect_left(starts, offset) for offset in breaks), len(starts)]))
        return list(chain.from_iterable(range(a + nth * _GAP, b + nth * _GAP) for nth, (a, b) in pieces))

    @cached_property
    def _head_end(self) -> int:
        found = first_sentences(self.article.text, _HEAD_SENTENCES)
        return self._base + (found[-1][1] if found else 0)
