"""The percolator: all topics at once, asked about one article.

Every topic names groups of terms of which each must have a hit. The topic is filed under its rarest group, so an
article wakes only topics whose rarest words it holds; those are then judged with positions. The cost of an article
grows with its hits, not with the number of topics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from worker.model import Article, Match, Topic
from worker.text import stemmer
from worker.topics.concordance import Concordance
from worker.topics.errors import RuleError
from worker.topics.frequencies import frequency_guess
from worker.topics.index import Index
from worker.topics.rules import Rule, read_rule
from worker.topics.verdicts import verdict


def compile_topics(topics: Iterable[Topic], *, frequency: Callable[[str], float] = frequency_guess) -> Percolator:
    """Return a percolator for ``topics``.

    Args:
        topics: their ids are unique.
        frequency: the share of articles, 0 to 1, that hold a folded word; it makes matching faster or slower and
            never changes an answer. By default it is guessed from the word.

    Raises:
        RuleError: the first mistake in a topic; ``check_topic`` returns all of one.
    """
    rules = sorted((read_rule(topic) for topic in topics), key=lambda rule: rule.topic.id)
    for one, other in pairwise(rules):
        if one.topic.id == other.topic.id:
            raise RuleError(f"two topics have the id {one.topic.id}; rename one")
    return Percolator(rules, frequency)


class Percolator:
    """Topics, ready to be asked about articles.

    Words are compared in the language of the article, so the topics are indexed once for each stemmer, when the
    first article in such a language arrives. An article of unknown language is taken for English.
    """

    def __init__(self, rules: Sequence[Rule], frequency: Callable[[str], float]) -> None:
        """Make a percolator of rules with different ids, in the order of the ids."""
        self._rules = rules
        self._frequency = frequency
        self._indexes: dict[str, Index] = {}

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics, in the order of their ids."""
        return tuple(rule.topic for rule in self._rules)

    @property
    def unindexed(self) -> tuple[str, ...]:
        """Ids of the topics with a rule that every article wakes, because their rarest group is common."""
        return tuple(self._rules[nth].topic.id for nth in self._index("en").always)

    def match(self, article: Article) -> list[Match]:
        """Return the topics that ``article`` meets, in the order of their ids.

        It is ``judge`` without the answers that are no. Time is linear in the length of the article for each topic
        that is woken.
        """
        index = self._index(stemmer(article.language))
        text = Concordance(article, index.lexicon)
        answers = (verdict(index.rule(nth), text, explain=False) for nth in index.woken(text.atoms))
        return [answer for answer in answers if answer is not None]

    def judge(self, article: Article) -> list[Match]:
        """Return the answer of every topic to ``article``, with its reason, in the order of the topics' ids."""
        index = self._index(stemmer(article.language))
        text = Concordance(article, index.lexicon)
        answers = (verdict(index.rule(nth), text, explain=True) for nth in range(len(self._rules)))
        return [answer for answer in answers if answer is not None]

    def _index(self, language: str) -> Index:
        if language not in self._indexes:
            self._indexes[language] = Index(self._rules, language, self._frequency)
        return self._indexes[language]
