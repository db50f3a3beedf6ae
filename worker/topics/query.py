"""Queries: one boolean expression in a line of text.

::

    or      = and { "OR" and }
    and     = not { ["AND"] not }
    not     = "NOT" not | near
    near    = primary { ("NEAR/n" | "BEFORE/n" | "ONEAR/n") primary }
    primary = term | "(" or ")" | field ":" "(" or ")"

Operators are upper case; words side by side are joined by AND. ``NEAR/n`` takes terms and OR-groups of terms, in any
order; ``BEFORE/n`` (``ONEAR/n`` is the same) keeps their order. A chain ``a NEAR/5 b NEAR/5 c`` asks for all three
within five words. Terms are those of ``worker.topics.terms``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from worker.topics.errors import RuleError
from worker.topics.expressions import And, Close, Expression, Not, Or, finds
from worker.topics.terms import FIELDS, Term, read_term, straighten

MAX_LENGTH = 10_000
MAX_TERMS = 500
MAX_DEPTH = 50
#: The widest window in words: wider than any paragraph that is about one thing.
MAX_WITHIN = 1000
#: Groups of one window; the search for it takes time in proportion to 2 ** groups.
MAX_GROUPS = 8

_LEXEME = re.compile(
    r"""(?P<open>\() | (?P<close>\))
      | (?P<field>\w+:)(?=\()
      | (?P<operator>(?:AND|OR|NOT)(?![^\s()]) | (?:NEAR|BEFORE|ONEAR)(?:/[^\s()"]*)?(?![^\s()]))
      | (?P<phrase>(?:\w+:)?=?(?:"[^"]*"|(?<![\w'])'[^']*'(?![\w'])))
      | (?P<unclosed>(?:\w+:)?=?")
      | (?P<word>[^\s()"]+)""",
    re.VERBOSE,
)
_FOREIGN = re.compile(r"[&|]+$|[!+\-~][\w\"(]|[!+\-~]$")
_DISTANCE = re.compile(r"[1-9][0-9]{0,5}$")


class _Lexeme(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def read_query(source: str) -> Expression:
    """Return the expression that ``source`` writes.

    Raises:
        RuleError: it cannot be read; the message says what was expected, the column where.
    """
    if len(source) > MAX_LENGTH:
        raise RuleError(f"a query has at most {MAX_LENGTH} characters; make it several topics", MAX_LENGTH)
    expression = _Parser(source).query()
    if not finds(expression):
        raise RuleError("a query needs something to find beside NOT, on every side of an OR", 1)
    return expression


def words_of(source: str) -> list[tuple[str, int]]:
    """Return the unquoted words of a query with their columns, for remarks about them."""
    found = _LEXEME.finditer(straighten(source))
    return [(m.group(), m.start() + 1) for m in found if m.lastgroup == "word"]


class _Parser:
    """Reads one query from left to right; each method reads what it is named for."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lexemes = [_lexeme(m) for m in _LEXEME.finditer(straighten(source))]
        self._next = 0
        self._depth = 0
        self._terms = 0

    def query(self) -> Expression:
        if not self._lexemes:
            raise RuleError("the query is empty")
        expression = self._or("")
        if (lexeme := self._peek()) is not None:
            raise RuleError("this parenthesis closes nothing", lexeme.start + 1)
        return expression

    def _or(self, field: str) -> Expression:
        start = self._next
        parts = [self._and(field)]
        while self._take("OR"):
            parts.append(self._and(field))
        return Or(parts=tuple(parts), source=self._text(start)) if len(parts) > 1 else parts[0]

    def _and(self, field: str) -> Expression:
        start = self._next
        parts = [self._not(field)]
        while self._take("AND") or self._begins_operand():
            parts.append(self._not(field))
        return And(parts=tuple(parts), source=self._text(start)) if len(parts) > 1 else parts[0]

    def _not(self, field: str) -> Expression:
        start = self._next
        if (lexeme := self._take("NOT")) is None:
            return self._near(field)
        self._descend(lexeme)
        part = self._not(field)
        self._depth -= 1
        return part.part if isinstance(part, Not) else Not(part=part, source=self._text(start))

    def _near(self, field: str) -> Expression:
        start = self._next
        operands = [self._operand(field)]
        operators: list[tuple[bool, int]] = []
        while (lexeme := self._take("NEAR", "BEFORE", "ONEAR")) is not None:
            operators.append(_distance(lexeme))
            if operators[-1] != operators[0]:
                raise RuleError("a chain keeps one operator and one distance; join two with AND", lexeme.start + 1)
            operands.append(self._operand(field))
        if not operators:
            return operands[0][0]
        if len(operands) > MAX_GROUPS:
            raise RuleError(f"a chain has at most {MAX_GROUPS} sides", self._lexemes[start].start + 1)
        groups = tuple(_group(operand, column) for operand, column in operands)
        ordered, within = operators[0]
        return Close(groups=groups, within=within, ordered=ordered, source=self._text(start))

    def _operand(self, field: str) -> tuple[Expression, int]:
        lexeme = self._peek()
        column = lexeme.start + 1 if lexeme else len(self._source) + 1
        return self._primary(field), column

    def _primary(self, field: str) -> Expression:
        before = self._lexemes[self._next - 1].text if self._next else ""
        lexeme = self._peek()
        if lexeme is None:
            raise RuleError(f"{before} needs something after it", len(self._source) + 1)
        self._next += 1
        match lexeme.kind:
            case "phrase" | "word":
                return self._term(lexeme, field)
            case "open":
                return self._parenthesis(lexeme, field)
            case "field":
                self._next += 1
                return self._parenthesis(self._lexemes[self._next - 1], _field(lexeme))
            case _:
                raise RuleError(_stray(lexeme, before), lexeme.start + 1)

    def _parenthesis(self, opening: _Lexeme, field: str) -> Expression:
        self._descend(opening)
        inner = self._or(field)
        if self._take("close") is None:
            raise RuleError("this parenthesis is never closed", opening.start + 1)
        self._depth -= 1
        return inner

    def _descend(self, lexeme: _Lexeme) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleError(f"a query is at most {MAX_DEPTH} deep; make it several topics", lexeme.start + 1)

    def _term(self, lexeme: _Lexeme, field: str) -> Term:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise RuleError(f"a query has at most {MAX_TERMS} terms; make it several topics", lexeme.start + 1)
        if lexeme.kind == "word" and _FOREIGN.match(lexeme.text):
            message = f'"{lexeme.text}" is no operator here; the operators are AND, OR, NOT, NEAR/n and BEFORE/n'
            raise RuleError(message, lexeme.start + 1)
        written = self._source[lexeme.start : lexeme.end]
        if lexeme.text.endswith("'") and lexeme.kind == "phrase":
            opening = lexeme.text.index("'")
            written = f'{written[:opening]}"{written[opening + 1 : -1]}"'
        try:
            return read_term(written, field)
        except RuleError as error:
            raise RuleError(error.message, lexeme.start + error.column) from None

    def _peek(self) -> _Lexeme | None:
        return self._lexemes[self._next] if self._next < len(self._lexemes) else None

    def _take(self, *kinds: str) -> _Lexeme | None:
        lexeme = self._peek()
        if lexeme is None or lexeme.kind not in kinds:
            return None
        self._next += 1
        return lexeme

    def _begins_operand(self) -> bool:
        lexeme = self._peek()
        return lexeme is not None and lexeme.kind in {"phrase", "word", "open", "field", "unclosed", "NOT"}

    def _text(self, start: int) -> str:
        return self._source[self._lexemes[start].start : self._lexemes[self._next - 1].end]


def _lexeme(found: re.Match[str]) -> _Lexeme:
    kind = found.lastgroup or ""
    if kind == "operator":
        kind = found.group().partition("/")[0]
    return _Lexeme(kind, found.group(), found.start(), found.end())


def _stray(lexeme: _Lexeme, before: str) -> str:
    """Return what is wrong with a lexeme that stands where something to find was expected."""
    match lexeme.kind:
        case "unclosed":
            return "this quote is never closed"
        case "close" if before == "(":
            return "there is nothing between these parentheses"
        case "close" if not before:
            return "this parenthesis closes nothing"
        case "NOT":
            return f"{before} takes words, phrases and OR-groups of them, not NOT"
        case _ if before in {"", "("}:
            return f"{lexeme.text} needs something before it"
        case _:
            return f"{before} needs something after it, not {lexeme.text}"


def _distance(lexeme: _Lexeme) -> tuple[bool, int]:
    """Return whether the operator keeps order, and its distance."""
    name, _, number = lexeme.text.partition("/")
    if not _DISTANCE.match(number) or int(number) > MAX_WITHIN:
        message = f"{name} needs a distance in words from 1 to {MAX_WITHIN}, such as {name}/5"
        raise RuleError(message, lexeme.start + 1)
    return name != "NEAR", int(number)


def _field(lexeme: _Lexeme) -> str:
    name = lexeme.text.removesuffix(":").lower()
    if name not in FIELDS:
        raise RuleError(f'there is no field "{name}", only {" and ".join(FIELDS)}', lexeme.start + 1)
    return name


def _group(expression: Expression, column: int) -> tuple[Term, ...]:
    """Return the terms of one side of NEAR."""
    match expression:
        case Term():
            return (expression,)
        case Or(parts=parts):
            return tuple(term for part in parts for term in _group(part, column))
        case _:
            raise RuleError("NEAR and BEFORE take words, phrases and OR-groups of them", column)
