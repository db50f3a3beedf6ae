"""Train what joins articles to stories: ``python -m worker.training.stories [--report]``.

Learned is from the labelled events in ``events/`` alone, each article whole, and cut to title and 30 words among short
ones about something else, so that no kind of text is strange. First from parts of events at random; then, in some
rounds, from the very decisions that what was learned so far meets when it groups articles of an event and of those most
like it, since those are not the ones that chance brings. The weights go to ``worker/stories/weights.json``; the same
every time. With ``--report`` nothing is written: each file is joined by what the others teach, in five orders.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.model import Article, Member, Role
from worker.stories import rarity
from worker.stories.comparing import Likeness, compare
from worker.stories.features import Features, features
from worker.stories.model import STRANGERS, Model, parse
from worker.stories.roles import Signs, signs
from worker.training import told
from worker.training.told import Told

OUT = Path(__file__).parent.parent / "stories" / "weights.json"
Array = NDArray[np.float64]
#: How strongly weights are held to 0, per standard deviation of their figure: learned by chance, and from decisions,
#: before the first of which others are needed to decide.
_RIDGE, _FIRST_RIDGE, _POOL_RIDGE = 3e-4, 3e-3, 2e-2
#: Samples of each event and of each pair of events; events compared to each: the likest.
_SAMPLES, _PER_EVENT, _LIKEST = 15, 4, 6
#: Rounds of grouping, and in each of them how often every event is grouped with others.
_ROUNDS, _TIMES = 3, 15
_OTHERS, _STRANGE = (0, 1, 1, 1, 2, 3), 0.2
#: The same for the signs of a development, and how sure of one it must be besides.
_SIGN_RIDGE, _SURE = 0.05, 0.5
_ORDERS = range(5)
#: What is not learned but chosen, by the cross-validation that ``--report`` prints; see README.md beside the events.
CHOSEN = {"floor": 0.23, "join": -0.75, "near": -4.0, "regroup": -0.7, "least": -1.0, "link": -0.75, "copy": 0.4}


class Table:
    """The likeness of all pairs of some articles."""

    def __init__(self, events: Sequence[str], pairs: Array) -> None:
        self.events, self.pairs = events, pairs
        self.places = {e: [i for i, other in enumerate(events) if other == e] for e in dict.fromkeys(events)}
        self.likest = self._likest()

    @classmethod
    def of(cls, found: Sequence[Told], known: Callable[[Article], Features]) -> Table:
        """Return the table of some articles."""
        made = [known(one.article) for one in found]
        pairs = np.zeros((len(made), len(made), len(Likeness._fields)))
        for a, mine in enumerate(made):
            for b in range(a):
                pairs[a, b] = pairs[b, a] = compare(mine, made[b])
        return cls([one.event for one in found], pairs)

    def without(self, prefix: str) -> Table:
        """Return the table without the events whose names begin with ``prefix``."""
        kept = [place for place, event in enumerate(self.events) if not event.startswith(prefix)]
        return Table([self.events[place] for place in kept], self.pairs[np.ix_(kept, kept)])

    def block(self, a: Sequence[int], b: Sequence[int]) -> Array:
        """Return what ``Model.score`` weighs for two groups."""
        pairs = self.pairs[np.ix_(a, b)].reshape(-1, self.pairs.shape[2])
        sizes = [np.sqrt(min(len(pairs), 9)) / 3, min(len(a), len(b), 3) / 3]
        return np.concatenate([pairs.max(0), pairs.mean(0), sizes])

    def _likest(self) -> dict[str, list[str]]:
        """Return for each event the other events that are most like it."""
        full = [Likeness._fields.index(name) for name in ("lead", "full")]
        parts = np.zeros((len(self.places), len(self.events)))
        for row, places in zip(parts, self.places.values(), strict=True):
            row[places] = 1 / len(places)
        means = parts @ self.pairs[:, :, full].mean(-1) @ parts.T
        np.fill_diagonal(means, -1.0)
        names = list(self.places)
        return {
            name: [names[i] for i in np.argsort(-row, kind="stable")[:_LIKEST]]
            for name, row in zip(names, means, strict=True)
        }


def examples(table: Table, seed: int) -> tuple[Array, Array]:
    """Return blocks of two parts of one event, and of parts of two, most of them alike, with 1 and 0 for them."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable sample is wanted
    blocks, labels = [], []
    events, likest = list(table.places), table.likest
    for event, places in table.places.items():
        lone = len(places) == 1
        for _ in range(0 if lone else _PER_EVENT):
            mixed = chance.sample(places, len(places))
            size = min(chance.choice((1, 1, 1, 2, 2, 3)), len(mixed) - 1)
            blocks.append(table.block(mixed[:size], mixed[size : chance.randint(size + 1, len(mixed))]))
            labels.append(1.0)
        others = likest[event][: 2 if lone else _LIKEST] + chance.sample(events, 1 if lone else _LIKEST // 2)
        for other in others if lone else others * 2:
            if other != event:
                one = chance.sample(places, min(chance.choice((1, 1, 1, 2, 3)), len(places)))
                two = chance.sample(table.places[other], chance.randint(1, len(table.places[other])))
                blocks.append(table.block(one, two))
                labels.append(0.0)
    return np.array(blocks), np.array(labels)


def logistic(x: Array, y: Array, ridge: float) -> tuple[Array, float]:
    """Return weights and bias of the logistic regression of ``y`` on ``x``, by Newton's method."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.c_[(x - mean) / spread, np.ones(len(x))]
    held = np.r_[np.full(x.shape[1], ridge), 1e-9]
    weights = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ weights))
        gradient = z.T @ (p - y) / len(y) + held * weights
        curvature = (z * (p * (1 - p))[:, None]).T @ z / len(y) + np.diag(held)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:  # noqa: PLR2004 - done
            break
    found = weights[:-1] / spread
    return found, float(weights[-1] - found @ mean)


def pools(table: Table, seed: int) -> Iterator[list[int]]:
    """Yield for each event of several articles some of them, in a random order, with some of the likest events."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable sample is wanted
    events = list(table.places)
    for event, places in table.places.items():
        if len(places) == 1:
            continue
        likest = table.likest[event][:4]
        ranks = [int(chance.expovariate(1.0)) for _ in range(chance.choice(_OTHERS))]
        others = [likest[min(rank, len(likest) - 1)] for rank in ranks]
        others += [chance.choice(events)] if chance.random() < _STRANGE else []
        mixed = chance.sample(places, chance.randint(2, len(places)))
        for other in dict.fromkeys(others):
            if other != event:
                mixed += chance.sample(table.places[other], chance.randint(1, len(table.places[other])))
        yield chance.sample(mixed, len(mixed))


def decisions(table: Table, mixed: Sequence[int], score: Callable[[Array], float]) -> Iterator[tuple[Array, float]]:
    """Yield what ``grouping.groups`` decides on in these articles, likest first, with 1 if it is right to join and 0.

    What is right is done and what is wrong is not, whatever the score, so that all that can be met is met.
    """
    groups = {nth: [place] for nth, place in enumerate(mixed)}
    blocks = {(a, b): table.block(groups[a], groups[b]) for a, b in combinations(groups, 2)}
    scores = {pair: score(block) for pair, block in blocks.items()}
    while scores:
        a, b = max(scores, key=lambda pair: scores[pair])
        if scores.pop((a, b)) <= STRANGERS:
            return
        right = table.events[groups[a][0]] == table.events[groups[b][0]]
        yield blocks[a, b], float(right)
        if not right:
            continue
        groups[a] += groups.pop(b)
        scores = {pair: found for pair, found in scores.items() if a not in pair and b not in pair}
        for other in [nth for nth in groups if nth != a]:
            pair = min(a, other), max(a, other)
            blocks[pair] = table.block(groups[pair[0]], groups[pair[1]])
            scores[pair] = score(blocks[pair])


def _scoring(weights: Array, bias: float) -> Callable[[Array], float]:
    lead, both = Likeness._fields.index("lead"), Likeness._fields.index("both")

    def score(block: Array) -> float:
        return STRANGERS if block[lead] + block[both] < CHOSEN["floor"] else float(block @ weights) + bias

    return score


def learned(tables: Sequence[Table], development: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a model, as they are written."""
    made = [examples(table, seed) for table in tables for seed in range(_SAMPLES)]
    blocks, labels = np.concatenate([x for x, _ in made]), np.concatenate([y for _, y in made])
    alike = _written(*logistic(blocks, labels, _RIDGE))
    together = _written(*decided(tables, *logistic(blocks, labels, _FIRST_RIDGE)))
    return {"alike": alike, "together": together, **CHOSEN, **development}


def decided(tables: Sequence[Table], weights: Array, bias: float) -> tuple[Array, float]:
    """Return weights and bias that are learned from what is decided in pools, beginning with others."""
    met: list[tuple[Array, float]] = []
    for nth in range(_ROUNDS):
        score = _scoring(weights, bias)
        for table in tables:
            for seed in range(nth * _TIMES, (nth + 1) * _TIMES):
                met += [one for mixed in pools(table, seed) for one in decisions(table, mixed, score)]
        blocks, right = np.array([block for block, _ in met]), np.array([right for _, right in met])
        weights, bias = logistic(blocks, right, _POOL_RIDGE)
    return weights, bias


def _written(weights: Array, bias: float) -> dict[str, Any]:
    count = len(Likeness._fields)
    figures = {
        name: {"greatest": round(float(weights[i]), 4), "mean": round(float(weights[count + i]), 4)}
        for i, name in enumerate(Likeness._fields)
    }
    pairs, smaller = (round(float(weight), 4) for weight in weights[2 * count :])
    return {"likeness": figures, "pairs": pairs, "smaller": smaller, "bias": round(bias, 4)}


def development(found: Sequence[Told], known: Callable[[Article], Features]) -> dict[str, Any]:
    """Return the weights of the signs of a development: each event is told in order, and copies are left out."""
    x, y = [], []
    for row, label in signed(found, known):
        x.append(row)
        y.append(label)
    weights, bias = logistic(np.array(x), np.array(y), _SIGN_RIDGE)
    named = {name: round(float(weight), 4) for name, weight in zip(Signs._fields, weights, strict=True)}
    # Precision matters more than recall: a wrong development wakes people.
    return {"development": named, "develops": round(bias - _SURE, 4)}


def signed(found: Sequence[Told], known: Callable[[Article], Features]) -> Iterator[tuple[Signs, float]]:
    """Yield the signs of each article that is neither first nor a copy, and whether it is a development."""
    for _, event in groupby(sorted(found, key=lambda one: one.event), key=lambda one: one.event):
        before: list[tuple[Member, Features]] = []
        for one in sorted(event, key=lambda one: one.article.published_at):
            mine = known(one.article)
            if before and one.role != Role.COPY:
                yield signs(one.article, mine, before), float(one.role == Role.DEVELOPMENT)
            before.append((_member(one.article), mine))


def _member(article: Article) -> Member:
    return Member(
        article_id=article.id,
        role=Role.REPORT,
        outlet=article.outlet,
        origin=article.outlet,
        published_at=article.published_at,
    )


def views(found: Sequence[Told]) -> list[list[Told]]:
    """Return the articles whole; and cut, among short ones about something else, which a feed has far more of."""
    return [list(found), [*map(told.cut, found), *told.strangers()]]


def cross_validated(found: Sequence[Told], known: Callable[[Article], Features]) -> list[tuple[str, told.Score]]:
    """Return the B-cubed scores of joining each file by what the others teach, in several orders."""
    scores, tables = [], [Table.of(view, known) for view in views(found)]
    for fold in sorted({one.event.split("-")[0] + "-" for one in found}):
        others = [one for one in found if not one.event.startswith(fold)]
        model = parse(learned([table.without(fold) for table in tables], development(others, known)))
        own = [one for one in found if one.event.startswith(fold)]
        scores += [(fold, joined(told.shuffled(own, order), model, known)) for order in _ORDERS]
    return scores


def joined(found: Sequence[Told], model: Model, known: Callable[[Article], Features]) -> told.Score:
    """Return the B-cubed score of joining articles in this order."""
    stream = told.Stream(model, known)
    for one in found:
        stream.add(one.article)
    return told.bcubed(stream.where(), {one.article.id: one.event for one in found})


def main(arguments: Sequence[str]) -> None:
    """Write the weights, or print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args(arguments)
    found = told.training()
    weigh = rarity.load()
    made: dict[tuple[str, str], Features] = {}

    def known(article: Article) -> Features:
        key = (article.title, article.text)
        if key not in made:
            made[key] = features(article, rarity=weigh)
        return made[key]

    if options.report:
        for fold, scores in groupby(cross_validated(found, known), key=lambda pair: pair[0]):
            rows = np.array([score for _, score in scores])
            precision, recall, f1 = rows[:, :3].mean(axis=0)
            sys.stdout.write(f"{fold} P {precision:.3f} R {recall:.3f} F {f1:.3f} min {rows[:, 2].min():.3f}\n")
        return
    values = learned([Table.of(view, known) for view in views(found)], development(found, known))
    OUT.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
