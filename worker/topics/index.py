"""The index: rules filed under their rarest words, for one way of folding words.

Every rule names groups of atoms of which each must stand in an article that meets it. The rule is filed under its
rarest group, and the rarest group after that is kept beside it, so that an article wakes few rules in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from worker.model import Topic
from worker.text import stemmer
from worker.topics.binding import bind
from worker.topics.expressions import And, needs, terms_of
from worker.topics.lexicon import Lexicon
from worker.topics.meant import is_meant
from worker.topics.rules import Rule
from worker.topics.terms import Term

#: Filing a rule under an atom that at least this share of articles holds saves nothing.
_COMMON = 0.5

#: Atoms of which one must stand in the article.
_Group: TypeAlias = tuple[int, ...]
#: A rule by its number, and the group that must be met beside the one that it is filed under.
_Filed: TypeAlias = tuple[int, _Group]


class Index:
    """Rules, known by their numbers, filed for the articles of one stemmer."""

    def __init__(self, rules: Sequence[Rule], language: str, frequency: Callable[[str], float]) -> None:
        """File ``rules`` for ``language`` (a code that ``worker.text.stemmer`` returns).

        ``frequency`` is the share of articles that hold a folded word.
        """
        self._rules = rules
        self.lexicon = Lexicon(language)
        mine = [nth for nth, rule in enumerate(rules) if _is_for(rule.topic, language)]
        for nth in mine:
            self._learn(rules[nth])
        #: Rules as they were bound when they were first needed. Those of other languages have nothing to be bound to.
        self._bound = dict(enumerate(rules))
        for nth in mine:
            del self._bound[nth]
        self._costs = _Costs(self.lexicon, frequency)
        self._filed: dict[int, list[_Filed]] = {}
        self._always: list[_Filed] = []
        #: Groups that must be met as well, for the few rules that have more than two.
        self._others: dict[int, Sequence[_Group]] = {}
        #: Topics that are looked for by meaning, under the rarest group of their anchors, or always.
        self._meant: dict[int, list[int]] = {}
        self._meant_always: list[int] = []
        for nth in mine:
            if rules[nth].clauses:
                self._file(nth)
            if is_meant(rules[nth].topic):
                self._file_meant(nth)
        #: Atoms to all that may stand beside them.
        self._beside = {
            atom: tuple({other for _, second in filed for other in second}) for atom, filed in self._filed.items()
        }

    @property
    def always(self) -> list[int]:
        """The rules that are looked at for every article, because their rarest group is common."""
        return [nth for nth, _ in self._always]

    def woken(self, atoms: set[int]) -> list[int]:
        """Return the rules that an article with ``atoms`` may meet, in order."""
        filed, beside, others, lacks = self._filed, self._beside, self._others, atoms.isdisjoint
        # This is the innermost loop of matching. Nearly all atoms that are looked at fall out by what must stand
        # beside them, before the rules that ask for them are touched.
        likely = [atom for atom in beside.keys() & atoms if not lacks(beside[atom])]
        woken = {nth for atom in likely for nth, second in filed[atom] if not lacks(second)}
        woken.update(nth for nth, second in self._always if not lacks(second))
        return sorted(nth for nth in woken if not any(map(lacks, others.get(nth, ()))))

    def meant(self, atoms: set[int]) -> list[int]:
        """Return the rules whose topics an article with ``atoms`` may meet by meaning, in order."""
        if not self._meant:
            return list(self._meant_always)
        found = {nth for atom in self._meant.keys() & atoms for nth in self._meant[atom]}
        return sorted(found.union(self._meant_always))

    def rule(self, nth: int) -> Rule:
        """Return a rule, bound to the lexicon."""
        rule = self._bound.get(nth)
        if rule is None:
            rule = self._bound[nth] = bind(self._rules[nth], self.lexicon)
        return rule

    def _learn(self, rule: Rule) -> None:
        for clause in (*rule.anchors, *rule.clauses, *rule.vetoes):
            for term in terms_of(clause.expression):
                self.lexicon.add(term)

    def _file(self, nth: int) -> None:
        rule, costs = self._rules[nth], self._costs
        whole = And(parts=tuple(clause.expression for clause in (*rule.anchors, *rule.clauses)))
        found = sorted(needs(whole, costs.of_term), key=lambda group: sum(map(costs.of_term, group)))
        rarest, *others = (costs.keys(group) for group in found)
        filed = (nth, others[0] if others else rarest)
        if len(others) > 1:
            self._others[nth] = others[1:]
        if max(map(costs.of_atom, rarest)) >= _COMMON:
            self._always.append(filed)
            return
        for atom in rarest:
            self._filed.setdefault(atom, []).append(filed)

    def _file_meant(self, nth: int) -> None:
        costs = self._costs
        whole = And(parts=tuple(clause.expression for clause in self._rules[nth].anchors))
        groups = sorted(needs(whole, costs.of_term), key=lambda group: sum(map(costs.of_term, group)))
        if not groups:
            self._meant_always.append(nth)
            return
        for atom in costs.keys(groups[0]):
            self._meant.setdefault(atom, []).append(nth)


def _is_for(topic: Topic, language: str) -> bool:
    """Return whether an article that is folded as ``language`` may meet ``topic``; unknown ones count as English."""
    return language == "en" or not topic.languages or language in map(stemmer, topic.languages)


class _Costs:
    """How common terms and atoms are, worked out once for each."""

    def __init__(self, lexicon: Lexicon, frequency: Callable[[str], float]) -> None:
        self._lexicon = lexicon
        self._frequency = frequency
        self._atoms: dict[int, float] = {}
        self._keys: dict[str, _Group] = {}
        self._terms: dict[str, float] = {}

    def of_atom(self, atom: int) -> float:
        known = self._atoms.get(atom)
        if known is None:
            known = self._atoms[atom] = self._frequency(self._lexicon.names[atom])
        return known

    def of_term(self, term: Term) -> float:
        known = self._terms.get(term.source)
        if known is None:
            known = self._terms[term.source] = sum(map(self.of_atom, self._keys_of(term)))
        return known

    def keys(self, group: Sequence[Term]) -> _Group:
        """Return atoms of which one stands wherever one of ``group`` does."""
        return tuple({atom for term in group for atom in self._keys_of(term)})

    def _keys_of(self, term: Term) -> _Group:
        """Return the rarest atom of each way of writing ``term``: one of them stands where the term does."""
        known = self._keys.get(term.source)
        if known is None:
            ways = self._lexicon.sequences[term.source]
            known = self._keys[term.source] = tuple(min(way, key=self.of_atom) for way in ways)
        return known
