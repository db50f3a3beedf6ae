"""Positions: where the atoms of a lexicon stand in one article."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from worker.topics.windows import Span

#: Atoms that are looked for one by one, before a table of all is worth its making.
_FEW = 8


class Positions(dict[int, list[Span]]):
    """A dictionary from an atom that stands in the article to its spans, in order; it looks when it is first asked."""

    def __init__(self, codes: Sequence[int], several: Mapping[int, Collection[int]]) -> None:
        """Make it from the codes of the words, and the codes among them that stand for several atoms."""
        super().__init__()
        self._codes = codes
        self._several = several

    def __missing__(self, atom: int) -> list[Span]:
        tokens = self._look(atom) if len(self) < _FEW else self._table[atom]
        spans = self[atom] = [(token, token) for token in tokens]
        return spans

    def _look(self, atom: int) -> list[int]:
        """Return the tokens of ``atom``. To go through all words for it is fast, but only for few atoms."""
        found = _places(atom, self._codes)
        for code, atoms in self._several.items():
            if atom in atoms:
                found = sorted(found + _places(code, self._codes))
        return found

    @cached_property
    def _table(self) -> Mapping[int, list[int]]:
        """The tokens of all atoms."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for token, code in enumerate(self._codes):
            found[code].append(token)
        for code, atoms in self._several.items():
            for atom in atoms:
                found[atom] = sorted(found[atom] + found[code])
        return found


def _places(value: int, among: Sequence[int]) -> list[int]:
    found: list[int] = []
    at = -1
    with suppress(ValueError):
        while True:
            at = among.index(value, at + 1)
            found.append(at)
    return found
