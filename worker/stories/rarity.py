"""How rare a term is in news: the weight of what two articles share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib import resources


@dataclass(frozen=True, slots=True)
class Rarity:
    """Weights of terms: the logarithm of how many texts there are for each that holds the term.

    A term after ``^`` is asked for as a name: it is known only if news writes it with a capital.
    """

    texts: int
    counts: dict[str, int] = field(repr=False)
    _weights: dict[str, float] = field(init=False, repr=False, compare=False)
    _unknown: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out all weights: an article asks for hundreds."""
        object.__setattr__(self, "_unknown", self._weight(0))
        object.__setattr__(self, "_weights", {term: self._weight(count) for term, count in self.counts.items()})

    def __call__(self, term: str) -> float:
        """Return the weight of ``term``: about 0 for "the", greatest for a term the table does not hold."""
        return self._weights.get(term, self._unknown)

    def _weight(self, count: int) -> float:
        return math.log((self.texts + 1) / (count + 0.5))


def load() -> Rarity:
    """Return the table that ships with wirewatch; ``worker.training.frequencies`` has made it."""
    lines = resources.files("worker.stories").joinpath("frequencies.tsv").read_text("utf-8").splitlines()
    counts: dict[str, int] = {}
    for line in lines[1:]:
        term, count = line.split("\t")
        counts[term] = counts[term.removeprefix("^")] = int(count)
    return Rarity(texts=int(lines[0].split()[1]), counts=counts)
