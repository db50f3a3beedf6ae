"""How well stories are told apart: 68 labelled events that nothing was fitted to, in five orders of arrival, no dates.

Near-copies are made of every article of theirs in six ways, and sought among all articles that are no copies.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from worker.model import Article
from worker.stories import model, rarity
from worker.stories.features import Features, features
from worker.stories.origins import origin
from worker.stories.shingles import containment, hashes, shingles
from worker.text import sentences, terms
from worker.training import told
from worker.training.told import Told

EVENTS: Final = sorted((Path(__file__).parent / "stories").glob("events-*.jsonl"))
ORDERS: Final = range(5)
MODEL, RARITY = model.load(), rarity.load()
BOILERPLATE: Final = (
    "Sign up for our morning letter and never miss what matters. All rights reserved; this text may not be printed "
    "elsewhere without our leave. Readers who have seen something may write to the desk at any hour of the day."
)


@pytest.fixture(scope="module")
def labelled() -> list[Told]:
    """Give the labelled articles."""
    found = told.read(EVENTS)
    assert len({one.event for one in found}) >= 60
    return found


@pytest.fixture(scope="module")
def known(labelled: list[Told]) -> Callable[[Article], Features]:
    """Give the features of articles, each worked out once."""
    made = {one.article.id: features(one.article, rarity=RARITY) for one in labelled}
    return lambda article: made[article.id]


def test_events_are_told_apart_in_every_order(labelled: list[Told], known: Callable[[Article], Features]) -> None:
    """B-cubed F1 without the help of dates; the goal of .95 is not reached, see the README for where it is lost."""
    scores = []
    for order in ORDERS:
        stream = told.Stream(MODEL, known)
        for one in told.shuffled(labelled, order):
            stream.add(one.article)
        assert len(stream.where()) == len(labelled)
        scores.append(told.bcubed(stream.where(), {one.article.id: one.event for one in labelled}).f1)
    assert np.mean(scores) >= 0.92
    assert min(scores) >= 0.91


def test_origins_are_those_that_the_articles_name(labelled: list[Told]) -> None:
    """The agency or outlet that is cited, in whatever form; else the article's own outlet."""
    right = [origin(one.article) == one.origin for one in labelled]
    assert np.mean(right) >= 0.9


def _edited(share: float) -> Callable[[list[str], random.Random], list[str]]:
    def edit(words: list[str], chance: random.Random) -> list[str]:
        changed = set(chance.sample(range(len(words)), round(len(words) * share)))
        return [f"changed{place}" if place in changed else word for place, word in enumerate(words)]

    return edit


def _fewer_sentences(words: list[str], chance: random.Random) -> list[str]:
    text = " ".join(words)
    spans = sentences(text)
    left = sorted(chance.sample(spans, max(1, round(len(spans) * 0.7))))
    return " ".join(text[start:end] for start, end in left).split()


PERTURBED: Final[dict[str, Callable[[list[str], random.Random], list[str]]]] = {
    "dateline-and-signature": lambda words, _: ["GENEVA", "(Agency)", "-", *words, "Reporting", "by", "our", "staff."],
    "boilerplate": lambda words, _: [*words, *BOILERPLATE.split()],
    "5-percent-of-words": _edited(0.05),
    "15-percent-of-words": _edited(0.15),
    "30-percent-of-sentences-cut": _fewer_sentences,
    "cut-to-60-percent": lambda words, _: words[: round(len(words) * 0.6)],
}


def _copied(text: str) -> frozenset[int]:
    return hashes(shingles(terms(text, "en")))


@pytest.mark.parametrize("name", PERTURBED)
def test_a_near_copy_is_known(labelled: list[Told], name: str) -> None:
    """At least 99 in 100, however it was changed; articles of a dozen words are too short to say."""
    chance = random.Random(name)  # noqa: S311 - a repeatable change is wanted
    texts = [one.article.text for one in labelled]
    found = [
        containment(_copied(text), _copied(" ".join(PERTURBED[name](text.split(), chance)))) >= MODEL.copy
        for text in texts
    ]
    assert np.mean(found) >= 0.99


def test_no_article_of_its_own_is_a_copy(labelled: list[Told], known: Callable[[Article], Features]) -> None:
    """Of all pairs, those aside of which one was written as a copy."""
    own = [one for one in labelled if one.role != "copy"]
    shares = [(containment(known(a.article).copied, known(b.article).copied), a, b) for a, b in combinations(own, 2)]
    assert [(a.article.id, b.article.id) for share, a, b in shares if share >= MODEL.copy] == []
