"""The percolator: all topics at once, asked about one article.

Every topic names groups of terms of which each must have a hit. The topic is filed under its rarest group, so an
article wakes only topics whose rarest words it holds; those are then judged with positions. The cost of an article
grows with its hits, not with the number of topics. Topics that are looked for by meaning are then read by the stages
of ``worker.topics.meaning``, where there are any, unless their rule has said yes already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from worker.model import Article, Match, Reason, Topic
from worker.text import stemmer
from worker.topics.errors import RuleError
from worker.topics.frequencies import frequency_guess
from worker.topics.meant import Meaning, Sense, is_meant, reads
from worker.topics.merging import merged
from worker.topics.rules import Rule, read_rule
from worker.topics.verdicts import barred, verdict, without_meaning

if TYPE_CHECKING:
    from worker.topics.concordance import Concordance
    from worker.topics.index import Index


def compile_topics(
    topics: Iterable[Topic],
    *,
    frequency: Callable[[str], float] = frequency_guess,
    meaning: Meaning | None = None,
) -> Percolator:
    """Return a percolator for ``topics``.

    Args:
        topics: their ids are unique.
        frequency: the share of articles, 0 to 1, that hold a folded word; it makes matching faster or slower and
            never changes an answer. By default it is guessed from the word.
        meaning: the stages that decide by meaning; without them topics match by their rules alone, and those that
            have none are answered with ``meaning-disabled``.

    Raises:
        RuleError: the first mistake in a topic; ``check_topic`` returns all of one.
    """
    rules = sorted((read_rule(topic) for topic in topics), key=lambda rule: rule.topic.id)
    for one, other in pairwise(rules):
        if one.topic.id == other.topic.id:
            raise RuleError(f"two topics have the id {one.topic.id}; rename one")
    if meaning is not None:
        meaning.learn([rule.topic for rule in rules if is_meant(rule.topic)])
    return Percolator(rules, frequency, meaning)


class Percolator:
    """Topics, ready to be asked about articles.

    Words are compared in the language of the article, so the topics are indexed once for each stemmer, when the
    first article in such a language arrives. An article of unknown language is taken for English.
    """

    def __init__(self, rules: Sequence[Rule], frequency: Callable[[str], float], meaning: Meaning | None) -> None:
        """Make a percolator of rules with different ids, in the order of the ids."""
        self._rules = rules
        self._frequency = frequency
        self._meaning = meaning
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
        text = index.read(article)
        by_rule = {nth: verdict(index.rule(nth), text, explain=False) for nth in index.woken(text.atoms)}
        meant = [nth for nth in index.meant(text.atoms) if _is_open(self._rules[nth].topic, by_rule.get(nth))]
        senses = self._senses(article, [nth for nth in meant if not barred(index.rule(nth), text, explain=False)])
        answers = [
            self._answer(index.rule(nth), text, by_rule.get(nth), senses) for nth in sorted(by_rule.keys() | set(meant))
        ]
        return [answer for answer in answers if answer is not None and answer.matched]

    def judge(self, article: Article) -> list[Match]:
        """Return the answer of every topic to ``article``, with its reason, in the order of the topics' ids."""
        index = self._index(stemmer(article.language))
        text = index.read(article)
        everyone = range(len(self._rules))
        by_rule = {nth: verdict(index.rule(nth), text, explain=True) for nth in everyone}
        meant = [nth for nth in everyone if is_meant(self._rules[nth].topic)]
        free = [nth for nth in meant if not barred(index.rule(nth), text, explain=False)]
        asked = [nth for nth in free if _is_open(self._rules[nth].topic, by_rule[nth])]
        senses = self._senses(article, asked, explain=True)
        answers = [self._answer(index.rule(nth), text, by_rule[nth], senses) for nth in everyone]
        return [answer for answer in answers if answer is not None]

    def _senses(self, article: Article, nths: Sequence[int], *, explain: bool = False) -> Mapping[str, Sense]:
        if self._meaning is None or not nths or not reads(article.language):
            return {}
        return self._meaning.read(article, [self._rules[nth].topic for nth in nths], explain=explain)

    def _answer(
        self, rule: Rule, text: Concordance, by_rule: Match | None, senses: Mapping[str, Sense]
    ) -> Match | None:
        """Return the answer of a topic, from what its rule and its meaning say; ``None`` is a no without a reason."""
        sense = senses.get(rule.topic.id)
        if sense is not None:
            return merged(rule, text.article, by_rule, sense)
        if by_rule is None or not by_rule.matched or rule.topic.require != "both":
            return self._disabled(rule, text, by_rule)
        return without_meaning(rule, text, self._why_disabled(rule, text))

    def _disabled(self, rule: Rule, text: Concordance, by_rule: Match | None) -> Match | None:
        if by_rule is not None and by_rule.reason is Reason.MEANING_DISABLED:
            return without_meaning(rule, text, self._why_disabled(rule, text))
        return by_rule

    def _why_disabled(self, rule: Rule, text: Concordance) -> str:
        if self._meaning is None:
            return "meaning disabled"
        if not is_meant(rule.topic):
            return "there is no meaning to require"
        if not reads(text.article.language):
            return f"meaning disabled for language {text.article.language}: the models read English"
        return "no passage is about its subject"

    def _index(self, language: str) -> Index:
        if language not in self._indexes:
            from worker.topics.index import Index  # noqa: PLC0415 - numpy is dear, and commands check topics without

            self._indexes[language] = Index(self._rules, language, self._frequency)
        return self._indexes[language]


def _is_open(topic: Topic, by_rule: Match | None) -> bool:
    """Return whether meaning has something to add to what the rule of ``topic`` says."""
    held = by_rule is not None and by_rule.matched
    return held if topic.require == "both" and topic.has_rule else not held
