"""Atoms: which atoms of a lexicon stand in one article, and where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from worker.topics.windows import Span

#: Atoms that are looked for one by one, before a table of all is worth its making.
_FEW = 8


class Atoms(dict[int, list[Span]]):
    """A dictionary from an atom that stands in the article to its spans, in order; it looks when it is first asked."""

    def __init__(self, codes: NDArray[np.int64], count: int, several: Mapping[int, Sequence[int]]) -> None:
        """Make it from the codes of the words.

        Args:
            codes: of each word its atom, -1 for none, or a code below that which stands for several atoms.
            count: how many atoms there are.
            several: the atoms of such codes.
        """
        super().__init__()
        self._codes = codes
        self._several = _expanded(codes, several) if several else {}
        #: Atoms that stand in the article, some of them more than once, with some -1 between.
        self.all = codes
        if self._several:
            extra = [atom for atoms in self._several.values() for atom in atoms]
            self.all = np.concatenate((codes[codes >= -1], extra))
        #: Whether each atom stands in the article; the last is the place of -1 and always true.
        self.marks = np.zeros(count + 1, np.bool_)
        self.marks[self.all] = True
        self.marks[-1] = True
        #: Return whether an atom stands in the article.
        self.has = self.marks.data.__getitem__

    @cached_property
    def present(self) -> frozenset[int]:
        """The atoms that stand in the article, and sometimes -1; for those who ask for several at a time."""
        return frozenset(self.all.tolist())

    def __missing__(self, atom: int) -> list[Span]:
        tokens = self._look(atom) if len(self) < _FEW else self._table.get(atom, [])
        spans = self[atom] = [(token, token) for token in tokens]
        return spans

    def _look(self, atom: int) -> list[int]:
        """Return the tokens of ``atom``. To go through all words for it is fast, but only for few atoms."""
        found = self._codes == atom
        for code, atoms in self._several.items():
            if atom in atoms:
                found |= self._codes == code
        tokens: list[int] = found.nonzero()[0].tolist()
        return tokens

    @cached_property
    def _table(self) -> Mapping[int, list[int]]:
        """The tokens of all atoms."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for token, code in enumerate(self._codes.tolist()):
            found[code].append(token)
        for code, atoms in self._several.items():
            for atom in atoms:
                found[atom] = sorted(found[atom] + found[code])
        return found


def _expanded(codes: NDArray[np.int64], several: Mapping[int, Sequence[int]]) -> dict[int, Sequence[int]]:
    """Return those of ``codes`` that stand for several atoms, with these."""
    return {code: several[code] for code in set(codes[codes < -1].tolist())}
