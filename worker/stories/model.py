"""What was learned about joining: weights and thresholds, as a value."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from worker.stories.comparing import Likeness

_LEAD, _BOTH = Likeness._fields.index("lead"), Likeness._fields.index("both")
#: The score of groups that share less than the least.
STRANGERS = -8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What makes one score of how alike the articles of two groups are.

    Scores are logits: at 0 it is even whether two groups are about one event, at 2 seven to one.
    """

    #: Weights of the greatest and of the mean of each figure over all pairs of two groups, as ``Likeness`` has them.
    greatest: tuple[float, ...] = field(repr=False)
    mean: tuple[float, ...] = field(repr=False)
    #: Weights of the square root of the number of pairs, at most 9, and of the articles of the smaller group, at most
    #: 3.
    pairs: float
    smaller: float
    bias: float

    def score(self, group: Block) -> float:
        """Return the score of all pairs between two groups of articles."""
        count = group.rows * group.columns
        found = (
            self.bias + self.pairs * math.sqrt(min(count, 9)) / 3 + self.smaller * min(group.rows, group.columns, 3) / 3
        )
        greatest: float = sum(map(operator.mul, self.greatest, group.greatest))
        mean: float = sum(map(operator.mul, self.mean, group.total)) / count
        return found + greatest + mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Weights, and what the scores mean."""

    #: Learned from groups as chance brings them, of articles of every kind.
    alike: Weights
    #: Learned from what is decided when articles are grouped anew: between look-alikes, most of the time.
    together: Weights
    #: The least that two groups must share: greatest cosine of leads, and of names with content, in sum. Long articles
    #: have many words in common whatever they are about, and what was learned from short ones does not hold for them.
    floor: float
    #: Groups with this score are one story, and stories with that one are looked at together.
    join: float
    near: float
    #: The score from which what is looked at together is one story, and how alike it must be besides.
    regroup: float
    least: float
    #: An older story with this score is the one before.
    link: float
    #: Share of shingles from which a text is a copy.
    copy: float
    #: Weights of the signs of a development by their names, and the score from which it is one.
    development: Mapping[str, float] = field(repr=False)
    develops: float

    def score(self, group: Block) -> float:
        """Return how alike two groups of articles are."""
        if group.greatest[_LEAD] + group.greatest[_BOTH] < self.floor:
            return STRANGERS
        return self.alike.score(group)

    def decide(self, group: Block) -> float:
        """Return the score by which two groups become one, or not, when they are looked at together."""
        return STRANGERS if self.score(group) < self.least else self.together.score(group)


@dataclass(frozen=True, slots=True)
class Block:
    """The pairs between two groups: the greatest of each figure, and their sums."""

    greatest: Sequence[float]
    total: Sequence[float]
    rows: int = 1
    columns: int = 1

    @classmethod
    def of(cls, likeness: Likeness) -> Block:
        """Return the block of one pair."""
        return cls(likeness, likeness)

    def below(self, other: Block) -> Block:
        """Return the block of a group with another one that has joined it, against the same third group."""
        return Block(
            tuple(map(max, self.greatest, other.greatest)),
            tuple(map(operator.add, self.total, other.total)),
            self.rows + other.rows,
            self.columns,
        )

    def turned(self) -> Block:
        """Return the block with the groups changed over."""
        return Block(self.greatest, self.total, self.columns, self.rows)


def probability(score: float) -> float:
    """Return a score as a number in 0..1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def load() -> Model:
    """Return the model that ships with wirewatch; ``worker.training.stories`` has made it."""
    return parse(json.loads(resources.files("worker.stories").joinpath("weights.json").read_text("utf-8")))


def parse(values: Mapping[str, Any]) -> Model:
    """Return the model that was written as ``values``.

    Raises:
        ValueError: the weights are those of other figures than this version compares by; train anew.
    """
    alike, together = _weights(values["alike"]), _weights(values["together"])
    rest: dict[str, Any] = {name: values[name] for name in _CHOSEN}
    return Model(alike=alike, together=together, **rest, development=values["development"])


_CHOSEN = ("floor", "join", "near", "regroup", "least", "link", "copy", "develops")


def _weights(values: Mapping[str, Any]) -> Weights:
    learned = values["likeness"]
    if tuple(learned) != Likeness._fields:
        raise ValueError(
            "weights.json is of another version of worker.stories.comparing: python -m worker.training.stories"
        )
    greatest, mean = (tuple(learned[figure][name] for figure in learned) for name in ("greatest", "mean"))
    sizes = {name: values[name] for name in ("pairs", "smaller", "bias")}
    return Weights(greatest=greatest, mean=mean, **sizes)
