"""A lexicon: every word pattern of a set of rules as a number, found from the words of an article.

A number is called an *atom*. All topics that mention "missile" share one atom, and a word of an article is asked once
for its atoms, however many topics there are. Nearly every word has one atom or none, so that a word is looked up as
one number, its *code*: the atom, ``NOTHING``, or a number below that which stands for several atoms.
"""

from __future__ import annotations

from itertools import count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.text import folder, squeeze
from worker.topics.letters import Words
from worker.topics.table import Table
from worker.topics.terms import Kind, Term, Word

_Key = TypeVar("_Key")

#: Words whose atoms are remembered; beyond it the memory starts anew.
_MEMORY = 200_000
#: Letters of a wildcard by which it is filed; the rest is compared.
_FILED = 6
#: Code of a word that no term asks for.
NOTHING = -1
#: Words met since the table was made, and their share of it, after which it is made anew: so that nearly all words of
#: an article are in it, and the making of tables costs less than the folding of the words.
_FEWEST_NEW = 256
_SHARE_NEW = 16


class Lexicon(dict[str, int]):
    """A dictionary from a word, as an article writes it, to its code; it looks a word up when it is first asked."""

    def __init__(self, language: str) -> None:
        """Make a lexicon that folds words as ``language`` does (a code that ``worker.text.stemmer`` returns)."""
        super().__init__()
        self._folded = folder(language)
        self._stems: dict[str, int] = {}
        self._exact: dict[str, int] = {}
        #: First letters to wildcards: their parts between the stars, and their atom.
        self._wild: dict[str, dict[tuple[str, ...], int]] = {}
        #: How many letters these are, from the fewest on.
        self._filed: list[int] = []
        #: Terms, by their sources, to the ways of writing them, as atoms.
        self.sequences: dict[str, tuple[tuple[int, ...], ...]] = {}
        #: What each atom stands for: a folded word, a word as written, or a wildcard.
        self.names: list[str] = []
        #: Codes of several atoms to these atoms. They are never forgotten, for a concordance may hold one.
        self.several: dict[int, tuple[int, ...]] = {}
        self._codes: dict[tuple[int, ...], int] = {}
        self._below = count(NOTHING - 1, -1)
        #: Most of the words above, to be looked up together. Threads share it: it is replaced, and never changed.
        self._table = Table({})
        self._new = 0

    def codes(self, words: Words) -> NDArray[np.int64]:
        """Return the code of each of ``words``."""
        if self._new > max(_FEWEST_NEW, len(self) // _SHARE_NEW):
            self._new = 0
            self._table = Table(self.copy())
        codes, absent = self._table.codes(words.keys)
        for nth in absent.tolist():
            codes[nth] = self[words.word(nth)]
        return codes

    def add(self, term: Term) -> None:
        """Give the words of ``term`` their atoms."""
        if term.source not in self.sequences:
            self.sequences[term.source] = tuple(tuple(map(self._atom, words)) for words in term.sequences)
            if self:
                self.forget()

    def forget(self) -> None:
        """Forget all words, but not their codes."""
        self.clear()
        self._table = Table({})
        self._new = 0

    def __missing__(self, word: str) -> int:
        if len(self) >= _MEMORY:
            self.forget()
        code = self._stems.get(self._folded[word], NOTHING)
        if (self._exact or self._wild) and (found := self._as_written(squeeze(word))):
            code = self._code((code, *found))
        self[word] = code
        self._new += 1
        return code

    def _as_written(self, written: str) -> list[int]:
        """Return the atoms that ask for a word as it is written."""
        exact = self._exact.get(written)
        found = [] if exact is None else [exact]
        for length in self._filed:
            if length > len(written):
                break
            wild = self._wild.get(written[:length])
            if wild:
                found += [atom for parts, atom in wild.items() if is_like(written, parts)]
        return found

    def _code(self, found: tuple[int, ...]) -> int:
        """Return the code of a word from its atoms, among which may be ``NOTHING``."""
        atoms = tuple(atom for atom in found if atom != NOTHING)
        if len(atoms) <= 1:
            return atoms[0] if atoms else NOTHING
        if atoms not in self._codes:
            code = next(self._below)
            self.several[code] = atoms
            self._codes[atoms] = code
        return self._codes[atoms]

    def _atom(self, word: Word) -> int:
        match word.kind:
            case Kind.STEM:
                stem = self._folded[word.text]
                return self._number(self._stems, stem, stem)
            case Kind.EXACT:
                return self._number(self._exact, word.text, word.text)
            case Kind.WILD:
                parts = tuple(word.text.split("*"))
                first = parts[0][:_FILED]
                self._filed = sorted({*self._filed, len(first)})
                return self._number(self._wild.setdefault(first, {}), parts, word.text)

    def _number(self, known: dict[_Key, int], key: _Key, name: str) -> int:
        if key not in known:
            known[key] = len(self.names)
            self.names.append(name)
        return known[key]


def is_like(word: str, parts: tuple[str, ...]) -> bool:
    """Return whether ``word`` consists of ``parts`` in order, with any letters, or none, between them.

    The first part begins the word and the last one ends it. Each part is taken where it first fits, which suffices,
    so the time is linear in the length of the word for each part.
    """
    first, *inner, last = parts
    if len(word) < len(first) + len(last) or not word.startswith(first) or not word.endswith(last):
        return False
    at, end = len(first), len(word) - len(last)
    for part in inner:
        at = word.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
