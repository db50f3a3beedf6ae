"""The percolator: all topics at once, asked about one article.

Every topic names groups of terms of which each must have a hit. The topic is filed under its rarest group, so an
article wakes only topics whose rarest words it holds; those are then judged with positions. The cost of an article
grows with its hits, not with the number of topics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeAlias

from worker.model import Article, Match, Topic
from worker.text import stemmer
from worker.topics.binding import bind
from worker.topics.concordance import Concordance
from worker.topics.errors import RuleError
from worker.topics.expressions import And, needs, terms_of
from worker.topics.frequencies import frequency_guess
from worker.topics.lexicon import Lexicon
from worker.topics.rules import Rule, read_rule
from worker.topics.terms import Term
from worker.topics.verdicts import verdict

#: Atoms of which one must stand in the article.
_Group: TypeAlias = tuple[int, ...]
#: A rule by its number, and the rarest group of it but the one that it is filed under.
_Filed: TypeAlias = tuple[int, _Group]

#: Filing a topic under a word that at least this share of articles holds saves nothing.
_COMMON = 0.5


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
        self._indexes: dict[str, _Index] = {}

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics, in the order of their ids."""
        return tuple(rule.topic for rule in self._rules)

    @property
    def unindexed(self) -> tuple[str, ...]:
        """Ids of the topics with a rule that every article wakes, because their rarest group is common."""
        return tuple(self._rules[nth].topic.id for nth, _ in self._index("en").always)

    def match(self, article: Article) -> list[Match]:
        """Return the topics that ``article`` meets, in the order of their ids.

        It is ``judge`` without the answers that are no. Time is linear in the length of the article for each topic
        that is woken.
        """
        index = self._index(stemmer(article.language))
        text = Concordance(article, index.lexicon)
        answers = (verdict(index.bound(nth), text, explain=False) for nth in index.woken(text.atoms))
        return [answer for answer in answers if answer is not None]

    def judge(self, article: Article) -> list[Match]:
        """Return the answer of every topic to ``article``, with its reason, in the order of the topics' ids."""
        index = self._index(stemmer(article.language))
        text = Concordance(article, index.lexicon)
        answers = (verdict(index.bound(nth), text, explain=True) for nth in range(len(self._rules)))
        return [answer for answer in answers if answer is not None]

    def _index(self, language: str) -> _Index:
        if language not in self._indexes:
            self._indexes[language] = _indexed(self._rules, language, self._frequency)
        return self._indexes[language]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """The rules of a percolator, filed for one stemmer."""

    lexicon: Lexicon
    rules: Sequence[Rule]
    #: Rules by their numbers, as they were bound to the lexicon when they were first needed.
    ready: dict[int, Rule]
    #: Atoms to the rules that are filed under them, each with a second group.
    filed: dict[int, list[_Filed]]
    #: Atoms to all atoms of these second groups.
    beside: dict[int, _Group]
    #: Rules that every article wakes.
    always: list[_Filed]
    #: For each rule by its number, groups of atoms of which each must stand in the article; the rarest two left out.
    groups: dict[int, Sequence[_Group]]

    def woken(self, atoms: set[int]) -> list[int]:
        """Return the numbers of the rules that an article with ``atoms`` may meet, in order."""
        filed, beside, groups, lacks = self.filed, self.beside, self.groups, atoms.isdisjoint
        # This is the innermost loop of matching. Nearly all atoms that are looked at fall out by what must stand
        # beside them, before the rules that ask for them are touched.
        likely = [atom for atom in beside.keys() & atoms if not lacks(beside[atom])]
        woken = {nth for atom in likely for nth, second in filed[atom] if not lacks(second)}
        woken.update(nth for nth, second in self.always if not lacks(second))
        return sorted(nth for nth in woken if not any(map(lacks, groups.get(nth, ()))))

    def bound(self, nth: int) -> Rule:
        """Return a rule, bound to the lexicon."""
        rule = self.ready.get(nth)
        if rule is None:
            rule = self.ready[nth] = bind(self.rules[nth], self.lexicon)
        return rule


def _indexed(rules: Sequence[Rule], language: str, frequency: Callable[[str], float]) -> _Index:
    lexicon = Lexicon(language)
    index = _Index(lexicon=lexicon, rules=rules, ready={}, filed={}, beside={}, groups={}, always=[])
    mine = [(nth, rule) for nth, rule in enumerate(rules) if _is_for(rule.topic, language)]
    # The words of the others are never looked for.
    index.ready.update((nth, rule) for nth, rule in enumerate(rules) if not _is_for(rule.topic, language))
    for _, rule in mine:
        for clause in (*rule.anchors, *rule.clauses, *rule.vetoes):
            for term in terms_of(clause.expression):
                lexicon.add(term)
    common = cache(lambda atom: frequency(lexicon.names[atom]))
    for nth, rule in mine:
        if rule.clauses:
            _file(index, nth, rule, common)
    for atom, rules_ in index.filed.items():
        index.beside[atom] = tuple({other for _, second in rules_ for other in second})
    return index


def _is_for(topic: Topic, language: str) -> bool:
    """Return whether an article that is folded as ``language`` may meet ``topic``; unknown ones count as English."""
    return language == "en" or not topic.languages or language in map(stemmer, topic.languages)


def _file(index: _Index, nth: int, rule: Rule, common: Callable[[int], float]) -> None:
    """File a rule under its rarest group."""

    def keys(term: Term) -> list[int]:
        """Return the rarest atom of each way of writing ``term``: one of them stands where the term does."""
        return [min(sequence, key=common) for sequence in index.lexicon.sequences[term.source]]

    def cost(term: Term) -> float:
        return sum(map(common, keys(term)))

    whole = And(parts=tuple(clause.expression for clause in (*rule.anchors, *rule.clauses)))
    groups = [tuple({atom for term in group for atom in keys(term)}) for group in needs(whole, cost)]
    rarest, second, *others = [*sorted(groups, key=lambda group: sum(map(common, group))), ()][: max(len(groups), 2)]
    filed = (nth, second or rarest)
    if others:
        index.groups[nth] = tuple(others)
    if max(map(common, rarest)) >= _COMMON:
        index.always.append(filed)
        return
    for atom in rarest:
        index.filed.setdefault(atom, []).append(filed)
