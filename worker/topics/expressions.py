"""Expressions: the one form that lists, groups and queries are turned into before they are looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from worker.topics.terms import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """All parts hold."""

    parts: tuple[Expression, ...]
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """At least one part holds."""

    parts: tuple[Expression, ...]
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The part does not hold."""

    part: Expression
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """One hit of each group, no two sharing a word, within a distance, in one paragraph of one field.

    The distance counts words from the last word of the first hit to the first word of the last hit, so that 1 means
    adjacent and two words with one other between them are 2 apart.
    """

    groups: tuple[tuple[Term, ...], ...]
    #: At least 1.
    within: int
    #: The hits stand in the order of the groups.
    ordered: bool = False
    #: The hits stand in one sentence, and it denies or refuses them (``worker.topics.negation``).
    negated: bool = False
    source: str = ""


Expression: TypeAlias = Term | And | Or | Not | Close


def finds(expression: Expression) -> bool:
    """Return whether ``expression`` holds only where at least one of its terms stands."""
    match expression:
        case Term() | Close():
            return True
        case And(parts=parts):
            return any(map(finds, parts))
        case Or(parts=parts):
            return all(map(finds, parts))
        case Not():
            return False


def needs(expression: Expression, cost: Callable[[Term], float]) -> list[tuple[Term, ...]]:
    """Return groups of terms of which each must have a hit where ``expression`` holds.

    The list is empty when nothing is needed. Of alternatives only the cheapest group of each is kept, as ``cost``
    says.
    """
    match expression:
        case Term():
            return [(expression,)]
        case Close(groups=groups):
            return list(groups)
        case And(parts=parts):
            return [group for part in parts for group in needs(part, cost)]
        case Or(parts=parts) if all(isinstance(part, Term) for part in parts):
            return [tuple(part for part in parts if isinstance(part, Term))]
        case Or(parts=parts):
            options = [needs(part, cost) for part in parts]
            cheapest = [min(option, key=lambda group: sum(map(cost, group))) for option in options if option]
            return [tuple(t for group in cheapest for t in group)] if len(cheapest) == len(options) else []
        case Not():
            return []


def terms_of(expression: Expression) -> Iterator[Term]:
    """Yield every term of ``expression``, in order."""
    match expression:
        case Term():
            yield expression
        case Close(groups=groups):
            for group in groups:
                yield from group
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from terms_of(part)
        case Not(part=part):
            yield from terms_of(part)
