"""How rare a term is in news: the weight of what two articles share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib import resources


@dataclass(frozen=True, slots=True)
class Rarity:
    """Weights of terms: the logarithm of how many articles there are for each that holds the term."""

    articles: int
    counts: dict[str, int] = field(repr=False)

    def __call__(self, term: str) -> float:
        """Return the weight of ``term``: about 0 for "the", greatest for a term the table does not hold."""
        return math.log((self.articles + 1) / (self.counts.get(term, 0) + 0.5))


def load() -> Rarity:
    """Return the table that ships with wirewatch; ``worker.training.frequencies`` has made it."""
    lines = resources.files("worker.stories").joinpath("frequencies.tsv").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines[1:])
    return Rarity(articles=int(lines[0].split()[1]), counts={term: int(count) for term, count in rows})
