"""What matching costs: a percolator of 10 to 100,000 rule topics against a loop that asks every topic.

The articles have 450 words by Zipf's law; the topics join two to four groups of one to four words each, drawn from all
words but the commonest, half of them written as a query and half as lists. "Common" topics draw their words so that
rare and common ones are equally likely: then far more topics match an article than in practice. Every article is
measured once, after every topic has been bound and 1,500 other articles have been matched (300 where words are
common), as in a service that has run for an hour. Answers are compared with those of the naive loop.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from itertools import accumulate, count
from math import exp, log
from random import Random
from statistics import fmean
from time import process_time

from tests.bench.harness import Figure, Row, compare, per_second, ratio
from tests.builders import article
from worker.model import Article, Topic
from worker.text import terms, words
from worker.topics import compile_topics

WORDS = 450
_TITLE = 9
_VOCABULARY = 30_000
#: The commonest words, of which no one makes topics.
_STOP_WORDS = 100
_ONSETS = [*"bcdfghjklmnprstvwz", "br", "ch", "cr", "dr", "fl", "gr", "kl", "pl", "sh", "st", "th", "tr"]
_RIMES = [vowel + end for vowel in "aeiou" for end in ("", "n", "r", "s", "l", "t")]
_WARM_UP = 1_500
_ARTICLES = 100
#: (topics, whether their words are common, articles asked of the naive loop in every round)
_SIZES = ((10, False, 100), (1_000, False, 20), (10_000, False, 4), (10_000, True, 4), (100_000, False, 1))
#: Where the goals are: 10,000 topics of any words.
_GOAL_SIZE = 10_000
_GOAL_PER_SECOND = 5_000
_GOAL_RATIO = 100


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


def rows(rounds: int) -> Iterator[Row]:
    """Yield for each number of topics what it does in a second on one core, and how much faster than the naive loop.

    Raises:
        AssertionError: the naive loop gave another answer.
    """
    for size in _SIZES:
        yield from _rows(*size, rounds=rounds)


def _rows(topics: int, common: bool, asked: int, *, rounds: int) -> Iterator[Row]:
    contest = _Contest(topics, common=common, asked=asked)
    figures = compare({"percolator": contest.match, "naive": contest.ask, "words": contest.part}, rounds=rounds)
    # The naive loop takes so long that it is asked about a few of the articles; a figure is for one article each.
    each = {name: _for_one(figure, contest.counts[name]) for name, figure in figures.items()}
    contest.compare()
    gc.unfreeze()
    measured = f"450 words against {topics:,} rule topics of {'common' if common else 'any'} words"
    is_goal = topics == _GOAL_SIZE and not common
    yield Row(
        what=f"articles of {measured}: matched in a CPU second",
        value=per_second(each["percolator"], 1),
        unit="articles/s",
        goal=_GOAL_PER_SECOND if is_goal else None,
        wanted="least",
        beside={
            "articles taken apart into words by a regular expression in a CPU second": 1 / each["words"].median,
            "topics woken by an article": contest.woken(),
            "topics matched by an article": contest.matched(),
            "CPU seconds until the first article was matched": contest.compiled,
        },
    )
    yield Row(
        what=f"articles of {measured}: times the speed of asking every topic",
        value=ratio(each["naive"], each["percolator"]),
        unit="x",
        goal=_GOAL_RATIO if is_goal else None,
        wanted="least",
        beside={"articles in a CPU second, asking every topic": 1 / each["naive"].median},
    )


class _Contest:
    """The same articles for the percolator and for the naive loop: each round begins with new ones."""

    def __init__(self, topics: int, *, common: bool, asked: int) -> None:
        self._world = World(seed=topics)
        groups = [self._world.groups(common=common) for _ in range(topics)]
        begun = process_time()
        self._percolator = compile_topics(map(written, count(), groups))
        self._percolator.match(self._world.article())  # the index is made for the first article
        self.compiled = process_time() - begun
        self._bind_all(topics)
        for _ in range(_WARM_UP // 5 if common else _WARM_UP):  # an article of common words takes twenty times as long
            self._percolator.match(self._world.article())
        self._naive = [[frozenset(terms(" ".join(group))) for group in topic] for topic in groups]
        #: Articles that each contestant works on in a round.
        self.counts = {"percolator": _ARTICLES, "naive": asked, "words": _ARTICLES}
        self._answers: list[tuple[Article, list[str]]] = []
        self._asked: list[tuple[Article, list[str]]] = []
        # Before every measurement the garbage is collected: topics are none, and to look through 100,000 of them takes
        # longer than the measurement.
        gc.collect()
        gc.freeze()

    def _bind_all(self, topics: int) -> None:
        """Do what is done when a topic matches for the first time: a judgement would, in ten times the time."""
        index = self._percolator._index("en")
        assert all(index.rule(nth).version for nth in range(topics))

    def match(self) -> float:
        """Match new articles and return the CPU seconds."""
        articles = [self._world.article() for _ in range(_ARTICLES)]
        begun = process_time()
        answers = [self._percolator.match(each) for each in articles]
        took = process_time() - begun
        found = ([match.topic_id for match in answer] for answer in answers)
        self._answers += zip(articles, found, strict=True)
        return took

    def ask(self) -> float:
        """Ask every topic about new articles and return the CPU seconds."""
        articles = [self._world.article() for _ in range(self.counts["naive"])]
        begun = process_time()
        answers = [asked_in_turn(self._naive, each) for each in articles]
        took = process_time() - begun
        self._asked += zip(articles, answers, strict=True)
        return took

    def part(self) -> float:
        """Take new articles apart into words, for comparing machines, and return the CPU seconds."""
        articles = [self._world.article() for _ in range(_ARTICLES)]
        begun = process_time()
        for each in articles:
            words(each.text)
        return process_time() - begun

    def compare(self) -> None:
        """Hold the answers of each contestant against the other's."""
        for of, ids in self._asked:
            assert [match.topic_id for match in self._percolator.match(of)] == ids, "the naive loop differs"
        for of, ids in self._answers[:: max(1, len(self._answers) // len(self._asked))]:
            assert asked_in_turn(self._naive, of) == ids, "the percolator differs"

    def woken(self) -> float:
        """Return the mean number of topics that an article wakes."""
        index = self._percolator._index("en")
        return fmean(len(index.woken(index.read(of).atoms)) for of, _ in self._answers)

    def matched(self) -> float:
        """Return the mean number of topics that an article matches."""
        return fmean(len(ids) for _, ids in self._answers)


def _for_one(figure: Figure, count: int) -> Figure:
    return Figure(name=figure.name, rounds=tuple(seconds / count for seconds in figure.rounds))


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
