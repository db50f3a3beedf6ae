"""Binding: a rule with the atoms of one lexicon put in where they answer at once.

Most of what topics ask for is "one of these words". Asked for as atoms, that is a look into a set, without a detour
over terms and their ways of writing. All else stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from worker.topics.expressions import And, Close, Expression, Not, Or
from worker.topics.quoting import quoted, short
from worker.topics.rules import Clause, Rule
from worker.topics.terms import Term

if TYPE_CHECKING:
    from worker.topics.lexicon import Lexicon


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Or):
    """An ``Or`` of single words in any field."""

    #: The atom of each part.
    atoms: tuple[int, ...]


def bind(rule: Rule, lexicon: Lexicon) -> Rule:
    """Return ``rule``, whose terms ``lexicon`` knows, with ``OneOf`` wherever that says the same."""
    return replace(
        rule,
        anchors=tuple(_clause(clause, lexicon) for clause in rule.anchors),
        clauses=tuple(_clause(clause, lexicon) for clause in rule.clauses),
    )


def _clause(clause: Clause, lexicon: Lexicon) -> Clause:
    return replace(clause, expression=_bound(clause.expression, lexicon), said=_said(clause))


def _said(clause: Clause) -> str:
    """Return what a match says of a clause, if it is said of any article; a match of thousands says it at once."""
    match clause.expression:
        case Term() as term:
            return f"{clause.name}: {quoted([term])}"
        case Or() if clause.path == ("any",):
            return ""
        case Close() if clause.path[0] == "near":
            return ""
        case expression:
            return f"{clause.name}: {short(expression.source)}"


def _bound(expression: Expression, lexicon: Lexicon) -> Expression:
    match expression:
        case Or(parts=parts, source=source):
            atoms = [_atom(part, lexicon) for part in parts]
            if None not in atoms:
                return OneOf(parts=parts, source=source, atoms=tuple(atom for atom in atoms if atom is not None))
            return Or(parts=tuple(_bound(part, lexicon) for part in parts), source=source)
        case And(parts=parts, source=source):
            return And(parts=tuple(_bound(part, lexicon) for part in parts), source=source)
        case Not(part=part, source=source):
            return Not(part=_bound(part, lexicon), source=source)
        case _:
            return expression


def _atom(expression: Expression, lexicon: Lexicon) -> int | None:
    """Return the one atom that ``expression`` asks for, if that is all it does."""
    if not isinstance(expression, Term) or expression.field:
        return None
    match lexicon.sequences[expression.source]:
        case ((atom,),):
            return atom
        case _:
            return None
