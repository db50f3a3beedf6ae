"""What matching costs: a percolator of 10 to 100,000 rule topics against a loop that asks every topic.

The articles have 450 words by Zipf's law; the topics join two to four groups of one to four words each, drawn from all
words but the commonest, half of them written as a query and half as lists. "Common" topics draw their words so that
rare and common ones are equally likely: then far more topics match an article than in practice. Every article is
measured once, after every topic has answered once and 2,000 other articles have been matched, as in a service that has
run for an hour. Times are CPU times.

Run it with ``python -m tests.bench.percolator``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import accumulate, count
from math import exp, log
from random import Random
from statistics import median
from time import process_time
from typing import Any

from tests.builders import article
from worker.model import Article, Topic
from worker.text import terms, words
from worker.topics import Percolator, compile_topics
from worker.topics.concordance import Concordance

WORDS = 450
_TITLE = 9
_VOCABULARY = 30_000
#: The commonest words, of which no one makes topics.
_STOP_WORDS = 100
_ONSETS = [*"bcdfghjklmnprstvwz", "br", "ch", "cr", "dr", "fl", "gr", "kl", "pl", "sh", "st", "th", "tr"]
_RIMES = [vowel + end for vowel in "aeiou" for end in ("", "n", "r", "s", "l", "t")]
_WARM_UP = 2_000
_ARTICLES = 100
#: (topics, whether their words are common, articles asked of the naive loop in every round)
_SIZES = ((10, False, 100), (1_000, False, 20), (10_000, False, 4), (10_000, True, 4), (100_000, False, 1))


class World:
    """A made-up language with its articles and topics; the same seed always makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - nothing here is a secret
        self._words = self._vocabulary()
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(_VOCABULARY)))
        self._numbers = count()

    def article(self) -> Article:
        """Return an article of 450 words: a headline and sentences in paragraphs."""
        drawn = self._random.choices(self._words, cum_weights=self._weights, k=WORDS)
        title, rest = " ".join(drawn[:_TITLE]).capitalize(), drawn[_TITLE:]
        sentences = []
        while rest:
            length = self._random.randint(12, 28)
            sentence, rest = rest[:length], rest[length:]
            sentence[len(sentence) // 2] += ","
            sentences.append(" ".join(sentence).capitalize() + ".")
        paragraphs = [" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3)]
        return article(next(self._numbers), title=title, text="\n".join(paragraphs), language="en")

    def groups(self, *, common: bool) -> list[list[str]]:
        """Return two to four groups of one to four words."""
        groups = range(self._random.randint(2, 4))
        return [[self._word(common=common) for _ in range(self._random.randint(1, 4))] for _ in groups]

    def _word(self, *, common: bool) -> str:
        if common:
            return self._words[int(exp(self._random.uniform(log(_STOP_WORDS), log(_VOCABULARY - 1))))]
        return self._words[self._random.randrange(_STOP_WORDS, _VOCABULARY)]

    def _vocabulary(self) -> list[str]:
        # Common words are short, as in every language.
        found: dict[str, None] = {}
        while len(found) < _VOCABULARY:
            syllables = 1 + (len(found) > _STOP_WORDS) + (len(found) > 10 * _STOP_WORDS) + (self._random.random() < 0.3)
            found["".join(self._random.choice(_ONSETS) + self._random.choice(_RIMES) for _ in range(syllables))] = None
        return list(found)


def rows(rounds: int) -> list[dict[str, Any]]:
    """Return one row of figures for each number of topics; ``rounds`` is how often each is measured, at least 1.

    ``articles_per_s`` is the median of the rounds and ``best_per_s`` the best of them, on one core;
    ``words_per_s`` is how many articles a regular expression takes apart into words in the same time, for comparing
    machines. ``ratio`` is against ``naive_per_s``. ``candidates`` and ``matches`` are means over articles.

    Raises:
        AssertionError: the naive loop gave another answer.
    """
    return [_row(*size, rounds=rounds) for size in _SIZES]


def _row(topics: int, common: bool, naive_articles: int, *, rounds: int) -> dict[str, Any]:
    world = World(seed=topics)
    groups = [world.groups(common=common) for _ in range(topics)]
    begun = process_time()
    percolator = compile_topics(map(written, count(), groups))
    percolator.match(world.article())  # the index is made for the first article
    compiled = process_time() - begun
    percolator.judge(world.article())
    for _ in range(_WARM_UP):
        percolator.match(world.article())
    naive = [[frozenset(terms(" ".join(group))) for group in topic] for topic in groups]
    measured = [
        _measure(percolator, naive, [world.article() for _ in range(_ARTICLES)], naive_articles) for _ in range(rounds)
    ]
    found = {name: [row[name] for row in measured] for name in measured[0]}
    return {
        "topics": topics,
        "words": "common" if common else "any",
        "articles_per_s": round(1 / median(found["match_s"])),
        "best_per_s": round(1 / min(found["match_s"])),
        "words_per_s": round(1 / median(found["words_s"])),
        "naive_per_s": round(1 / median(found["naive_s"]), 2),
        "ratio": round(median(found["naive_s"]) / median(found["match_s"]), 2),
        "candidates": round(sum(found["candidates"]) / rounds, 2),
        "matches": round(sum(found["matches"]) / rounds, 2),
        "compile_s": round(compiled, 2),
    }


def written(nth: int, groups: Sequence[Sequence[str]]) -> Topic:
    """Return the topic that asks for a word of each of ``groups``."""
    if nth % 2:
        query = " AND ".join(f"({' OR '.join(group)})" for group in groups)
        return Topic(id=f"topic-{nth:06}", query=query)
    return Topic(id=f"topic-{nth:06}", anchors=tuple(map(tuple, groups[:-1])), any=tuple(groups[-1]))


def asked_in_turn(naive: Sequence[Sequence[frozenset[str]]], of: Article) -> list[str]:
    """Return the ids of the topics that ``of`` meets, by asking every topic: the loop that we compare with."""
    found = frozenset(terms(f"{of.title}\n{of.text}"))
    return [
        f"topic-{nth:06}" for nth, groups in enumerate(naive) if not any(found.isdisjoint(group) for group in groups)
    ]


def _measure(
    percolator: Percolator, naive: Sequence[Sequence[frozenset[str]]], articles: Sequence[Article], asked: int
) -> dict[str, float]:
    begun = process_time()
    for each in articles:
        words(each.text)
    worded = process_time()
    answers = [percolator.match(each) for each in articles]
    matched = process_time()
    expected = [asked_in_turn(naive, each) for each in articles[:asked]]
    ended = process_time()
    for answer, ids in zip(answers, expected, strict=False):
        assert [match.topic_id for match in answer] == ids, "the percolator and the naive loop differ"
    index = percolator._index("en")
    woken = [len(index.woken(Concordance(each, index.lexicon).atoms)) for each in articles]
    return {
        "words_s": (worded - begun) / len(articles),
        "match_s": (matched - worded) / len(articles),
        "naive_s": (ended - matched) / asked,
        "candidates": sum(woken) / len(articles),
        "matches": sum(map(len, answers)) / len(articles),
    }


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(json.dumps(row))  # noqa: T201 - this is what it is for
