"""A lexicon: every word pattern of a set of rules as a number, found from the words of an article.

A number is called an *atom*. All topics that mention "missile" share one atom, and a word of an article is asked once
for its atoms, however many topics there are.
"""

from __future__ import annotations

from typing import TypeVar

from worker.text import fold, squeeze
from worker.topics.terms import Kind, Term, Word

_Key = TypeVar("_Key")

#: Words whose atoms are remembered; beyond it the memory starts anew.
_MEMORY = 200_000
#: Letters of a wildcard by which it is filed; the rest is compared.
_FILED = 6


class Lexicon(dict[str, tuple[int, ...]]):
    """A dictionary from a word, as an article writes it, to its atoms; it looks a word up when it is first asked."""

    def __init__(self, language: str) -> None:
        """Make a lexicon that folds words as ``language`` does (a code that ``worker.text.stemmer`` returns)."""
        super().__init__()
        self._language = language
        self._stems: dict[str, int] = {}
        self._exact: dict[str, int] = {}
        #: First letters to wildcards: their parts between the stars, and their atom.
        self._wild: dict[str, dict[tuple[str, ...], int]] = {}
        self._sequences: dict[str, tuple[tuple[int, ...], ...]] = {}
        #: What each atom stands for: a folded word, a word as written, or a wildcard.
        self.names: list[str] = []

    def add(self, term: Term) -> None:
        """Give the words of ``term`` their atoms."""
        if term.source not in self._sequences:
            self._sequences[term.source] = tuple(tuple(map(self._atom, words)) for words in term.sequences)
            self.clear()

    def sequences(self, term: Term) -> tuple[tuple[int, ...], ...]:
        """Return the sequences of ``term``, which was added before, as atoms."""
        return self._sequences[term.source]

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= _MEMORY:
            self.clear()
        atoms = self[word] = tuple(self._look_up(word))
        return atoms

    def _look_up(self, word: str) -> list[int]:
        written = squeeze(word)
        atoms = [self._stems.get(fold(word, self._language)), self._exact.get(written)]
        for length in range(2, _FILED + 1):
            for parts, atom in self._wild.get(written[:length], {}).items() if length <= len(written) else ():
                if is_like(written, parts):
                    atoms.append(atom)
        return [atom for atom in atoms if atom is not None]

    def _atom(self, word: Word) -> int:
        match word.kind:
            case Kind.STEM:
                stem = fold(word.text, self._language)
                return self._number(self._stems, stem, stem)
            case Kind.EXACT:
                return self._number(self._exact, word.text, word.text)
            case Kind.WILD:
                parts = tuple(word.text.split("*"))
                return self._number(self._wild.setdefault(parts[0][:_FILED], {}), parts, word.text)

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
