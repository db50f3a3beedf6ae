"""Which of a few articles belong together, whatever the order in which they came.

Average and best linkage over all pairs of two groups speak together (``Model.decide``). One pair says little: a report
and a portrait of the same event may share no more than two look-alike events do. Groups say much more, so the articles
of stories that are near each other are grouped anew whenever one is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker.stories.comparing import Likeness, compare, strangers
from worker.stories.features import Features
from worker.stories.model import STRANGERS, Block, Model

#: How alike two articles are, the same both ways.
Comparison = Callable[[Features, Features], Likeness]


def score(one: Features, many: Sequence[Features], model: Model, alike: Comparison = compare) -> float:
    """Return the score of one article against a group, which must not be empty."""
    if strangers(one, many, model.floor):
        return STRANGERS
    return model.score(against(one, many, alike))


def remembered(most: int = 4_000) -> Comparison:
    """Return ``compare`` with a memory of at most so many pairs (1 kB each), after which it starts anew.

    The pairs by which an article finds its story are among those that are grouped anew, and those of the others were
    compared when the last of them came: three comparisons in five were made before.
    """
    known: dict[tuple[int, int], Likeness] = {}

    def alike(a: Features, b: Features) -> Likeness:
        one, other = a.serial, b.serial
        pair = (one, other) if one < other else (other, one)
        found = known.get(pair)
        if found is None:
            if len(known) >= most:
                known.clear()
            found = known[pair] = compare(a, b)
        return found

    return alike


def against(one: Features, many: Sequence[Features], alike: Comparison = compare) -> Block:
    """Return the block of one article against a group, which must not be empty."""
    first, *others = (Block.of(alike(one, other)).turned() for other in many)
    for other in others:
        first = first.below(other)
    return first.turned()


def groups(articles: Sequence[Features], model: Model, alike: Comparison = compare) -> list[list[int]]:
    """Return which articles belong together, as lists of places: the likest groups join until none is like another.

    Each list is in order, and the lists are in order of their first places.
    """
    members = {place: [place] for place in range(len(articles))}
    blocks = {(a, b): Block.of(alike(articles[a], articles[b])) for b in range(len(articles)) for a in range(b)}
    scores = {pair: model.decide(block) for pair, block in blocks.items()}
    while scores:
        (a, b), best = max(scores.items(), key=lambda item: (item[1], -item[0][0], -item[0][1]))
        if best < model.regroup:
            break
        members[a] = sorted(members[a] + members.pop(b))
        del blocks[a, b], scores[a, b]
        for other in members.keys() - {a}:
            joined = _ordered(blocks, a, other).below(_ordered(blocks, b, other))
            pair = (a, other) if a < other else (other, a)
            blocks[pair] = joined if a < other else joined.turned()
            scores[pair] = model.decide(joined)
            gone = (b, other) if b < other else (other, b)
            del blocks[gone], scores[gone]
    return [members[place] for place in sorted(members)]


def _ordered(blocks: dict[tuple[int, int], Block], row: int, column: int) -> Block:
    return blocks[row, column] if row < column else blocks[column, row].turned()
