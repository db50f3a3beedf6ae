"""Rules: a topic's clauses, read and ready to be looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from worker.model import Near, Topic
from worker.topics.errors import RuleError, place
from worker.topics.expressions import Close, Expression, Or
from worker.topics.query import MAX_GROUPS, MAX_WITHIN, read_query
from worker.topics.terms import Term, read_term

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition of a topic, and where it stands in it."""

    path: _Path
    expression: Expression
    #: What a match says of it, where that is the same for all articles; set when the rule is bound to a lexicon.
    said: str = ""

    @property
    def name(self) -> str:
        """The place as people write it: ``near[0]``."""
        return place(self.path)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a topic asks of an article by words: all ``anchors``, all ``clauses`` and no ``vetoes``."""

    topic: Topic
    #: They only restrict; a topic with anchors alone has no rule.
    anchors: tuple[Clause, ...]
    #: The most telling first: near, query, any, all.
    clauses: tuple[Clause, ...]
    vetoes: tuple[Clause, ...]

    @cached_property
    def version(self) -> str:
        """The version of the topic, worked out once and only for topics that have an answer."""
        return self.topic.version


def read_rule(topic: Topic) -> Rule:
    """Return the rule of ``topic``.

    Raises:
        RuleError: the first mistake of the topic; ``check_topic`` returns all.
    """
    rule, errors = _Reader(topic).read()
    for error in errors:
        raise RuleError(f"topic {topic.id}: {error.message}", error.column, error.path)
    return rule


def check_topic(topic: Topic) -> list[RuleError]:
    """Return all mistakes in the rule of ``topic``, each with its path and column; empty when there are none."""
    return _Reader(topic).read()[1]


class _Reader:
    """Reads one topic and notes what it cannot read."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._errors: list[RuleError] = []

    def read(self) -> tuple[Rule, list[RuleError]]:
        topic = self._topic
        anchors = tuple(self._groups("anchors", topic.anchors))
        any_ = tuple(self._any())
        all_ = tuple(self._each("all", topic.all))
        vetoes = tuple(self._each("none", topic.none))
        near = tuple(self._near())
        query = tuple(self._query())
        self._check_whole()
        rule = Rule(topic=topic, anchors=anchors, clauses=near + query + any_ + all_, vetoes=vetoes)
        return rule, self._errors

    def _check_whole(self) -> None:
        topic = self._topic
        if not (topic.has_rule or topic.topic.strip() or topic.meaning):
            self._note("there is nothing to find; give it any, all, near or query, or a phrase in topic", ())
        if topic.require not in {"either", "both"}:
            self._note('require is "either" or "both"', ("require",))
        if not 0 <= topic.threshold <= 1:
            self._note("threshold is a score from 0 to 1", ("threshold",))

    def _any(self) -> Iterator[Clause]:
        terms = self._terms(("any",), self._topic.any)
        if terms:
            yield Clause(path=("any",), expression=Or(parts=terms))

    def _each(self, name: str, sources: Iterable[str]) -> Iterator[Clause]:
        for nth, source in enumerate(sources):
            for term in self._terms((name,), [source], first=nth):
                yield Clause(path=(name, nth), expression=term)

    def _groups(self, name: str, groups: Iterable[Iterable[str]]) -> Iterator[Clause]:
        for nth, group in enumerate(groups):
            terms = self._group((name, nth), group)
            yield Clause(path=(name, nth), expression=Or(parts=terms))

    def _near(self) -> Iterator[Clause]:
        for nth, near in enumerate(self._topic.near):
            path = ("near", nth)
            groups = tuple(self._group((*path, "groups", g), group) for g, group in enumerate(near.groups))
            self._check_near(near, path)
            close = Close(groups=groups, within=near.within, negated=near.negated)
            yield Clause(path=path, expression=close)

    def _check_near(self, near: Near, path: _Path) -> None:
        if not 2 <= len(near.groups) <= MAX_GROUPS:  # noqa: PLR2004 - nearness takes two
            self._note(f"near takes 2 to {MAX_GROUPS} groups, not {len(near.groups)}", (*path, "groups"))
        if not 1 <= near.within <= MAX_WITHIN:
            self._note(f"within is a number of words from 1 to {MAX_WITHIN}", (*path, "within"))

    def _query(self) -> Iterator[Clause]:
        if not self._topic.query:
            return
        try:
            yield Clause(path=("query",), expression=read_query(self._topic.query))
        except RuleError as error:
            self._errors.append(error.at("query"))

    def _group(self, path: _Path, sources: Iterable[str]) -> tuple[Term, ...]:
        listed = list(sources)
        if not listed:
            self._note("this group is empty; give it a word or take it out", path)
        return self._terms(path, listed)

    def _terms(self, path: _Path, sources: Iterable[str], *, first: int = 0) -> tuple[Term, ...]:
        terms: list[Term] = []
        for nth, source in enumerate(sources, first):
            try:
                terms.append(read_term(source))
            except RuleError as error:
                self._errors.append(error.at(*path, nth))
        return tuple(terms)

    def _note(self, message: str, path: _Path) -> None:
        self._errors.append(RuleError(message, 1, path))
