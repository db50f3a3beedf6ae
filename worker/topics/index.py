"""The index: rules filed under their rarest words, for one way of folding words.

Every rule names groups of atoms of which each must stand in an article that meets it. The rule is filed under its
rarest group, and the rarest group after that is kept beside it, so that an article wakes few rules in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from worker.model import Article, Topic
from worker.text import stemmer
from worker.topics.atoms import Atoms
from worker.topics.binding import bind
from worker.topics.concordance import Concordance
from worker.topics.expressions import And, needs, terms_of
from worker.topics.lexicon import Lexicon
from worker.topics.meant import is_meant
from worker.topics.rules import Rule
from worker.topics.terms import Term

#: Filing a rule under an atom that at least this share of articles holds saves nothing.
_COMMON = 0.5

#: Atoms of a second group that an article is compared with for all rules at once.
_WIDTH = 4
_ONE = np.dtype(f"u{_WIDTH}")
_HALF = 32
_LOWER = (1 << _HALF) - 1

#: Atoms of which one must stand in the article.
_Group: TypeAlias = tuple[int, ...]
#: A rule by its number, and the group, if any, that must be met beside the one that it is filed under.
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
        filed: dict[int, list[_Filed]] = {}
        always: list[_Filed] = []
        #: Groups that must be met as well, for the rules that have more than two, or a second one that is large.
        self._others: dict[int, Sequence[_Group]] = {}
        meant: dict[int, list[_Filed]] = {}
        meant_always: list[_Filed] = []
        for nth in mine:
            if rules[nth].clauses:
                self._file(nth, filed, always)
            if is_meant(rules[nth].topic):
                self._file_meant(nth, meant, meant_always)
        self._filed = _Files(filed, always, len(self.lexicon.names))
        #: Topics that are looked for by meaning, under the rarest group of their anchors, or always.
        self._meant = _Files(meant, meant_always, len(self.lexicon.names)) if meant or meant_always else None

    @property
    def always(self) -> list[int]:
        """The rules that are looked at for every article, because their rarest group is common."""
        return self._filed.always

    def read(self, article: Article) -> Concordance:
        """Return ``article`` as the rules see it."""
        return Concordance(article, self.lexicon)

    def woken(self, atoms: Atoms) -> list[int]:
        """Return the rules that an article with ``atoms`` may meet, in order."""
        others, has = self._others, atoms.has
        return sorted(
            nth
            for nth in self._filed.woken(atoms)
            if nth not in others or all(any(map(has, group)) for group in others[nth])
        )

    def meant(self, atoms: Atoms) -> list[int]:
        """Return the rules whose topics an article with ``atoms`` may meet by meaning, in order."""
        return [] if self._meant is None else sorted(self._meant.woken(atoms))

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

    def _file(self, nth: int, filed: dict[int, list[_Filed]], always: list[_Filed]) -> None:
        rule, costs = self._rules[nth], self._costs
        whole = And(parts=tuple(clause.expression for clause in (*rule.anchors, *rule.clauses)))
        found = sorted(needs(whole, costs.of_term), key=lambda group: sum(map(costs.of_term, group)))
        rarest, *others = (costs.keys(group) for group in found)
        second, *rest = others or [rarest]
        if len(second) > _WIDTH:
            rest = [second, *rest]
        if rest:
            self._others[nth] = rest
        if max(map(costs.of_atom, rarest)) >= _COMMON:
            always.append((nth, second))
            return
        for atom in rarest:
            filed.setdefault(atom, []).append((nth, second))

    def _file_meant(self, nth: int, filed: dict[int, list[_Filed]], always: list[_Filed]) -> None:
        costs = self._costs
        whole = And(parts=tuple(clause.expression for clause in self._rules[nth].anchors))
        groups = sorted(needs(whole, costs.of_term), key=lambda group: sum(map(costs.of_term, group)))
        if not groups:
            always.append((nth, ()))
            return
        for atom in costs.keys(groups[0]):
            filed.setdefault(atom, []).append((nth, ()))


def _is_for(topic: Topic, language: str) -> bool:
    """Return whether an article that is folded as ``language`` may meet ``topic``; unknown ones count as English."""
    return language == "en" or not topic.languages or language in map(stemmer, topic.languages)


class _Files:
    """Where rules are filed, as arrays: what an article may wake is found in a dozen calls of numpy."""

    def __init__(self, filed: Mapping[int, Sequence[_Filed]], always: Sequence[_Filed], count: int) -> None:
        """Take the rules under each atom, those that are under none, and how many atoms there are."""
        counts = np.zeros(count + 1, np.int64)
        for atom, rules in filed.items():
            counts[atom] = len(rules)
        #: For each atom where its rules end in the arrays below, and in the lower half how many they are. One number
        #: for both, and the smaller integers below, since what is not in the processor's cache takes the longest.
        #: The last is for -1.
        self._places = counts.cumsum() << _HALF | counts
        listed = [*(each for atom in sorted(filed) for each in filed[atom]), *always]
        self._always = np.arange(len(listed) - len(always), len(listed))
        self._rules = np.array([nth for nth, _ in listed], np.int32)
        self._seconds = np.array([_padded(group) for _, group in listed], np.int32).reshape(-1, _WIDTH)

    @property
    def always(self) -> list[int]:
        """The rules that are under no atom."""
        rules: list[int] = self._rules.take(self._always).tolist()
        return rules

    def woken(self, atoms: Atoms) -> set[int]:
        """Return the rules that have one of ``atoms`` in each of the two groups that are kept here."""
        begins = self._places.take(atoms.all)
        counts = begins & _LOWER
        # For each atom the numbers from its first rule on, all in one array.
        begins >>= _HALF
        begins -= counts.cumsum()
        likely = begins.repeat(counts)
        likely += np.arange(len(likely))
        if len(self._always):
            likely = np.concatenate((likely, self._always))
        # One byte for each of the atoms of a second group, and so one integer, which is 0 when none stands there.
        met = atoms.marks.take(self._seconds.take(likely, axis=0)).view(_ONE).nonzero()[0]
        return set(self._rules.take(likely.take(met)).tolist())


def _padded(group: _Group) -> list[int]:
    """Return a group as one row, which is always met if the group is empty or too large for it."""
    return [*group, *group[:1] * (_WIDTH - len(group))] if 0 < len(group) <= _WIDTH else [-1] * _WIDTH


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
