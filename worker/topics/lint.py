"""Lint: what a topic says that its author may not mean. Nothing here is an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.model import Topic
from worker.text import fold, stemmer
from worker.topics.errors import place
from worker.topics.expressions import And, Close, Expression, Not, Or
from worker.topics.frequencies import COMMON
from worker.topics.meant import is_meant
from worker.topics.query import words_of
from worker.topics.rules import Rule, check_topic, read_rule
from worker.topics.terms import Kind, Term, Word, read_term
from worker.topics.verdicts import SCORE_HEAD

_OPERATORS = frozenset({"AND", "OR", "NOT"})
_SHORTEST_WILD = 3
#: Words.
_SHORTEST_CLAIM = 4

_Path = tuple[str | int, ...]
_Way = tuple[tuple[Kind, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """A remark, and where in the topic it belongs; an empty ``path`` means the topic as a whole."""

    path: tuple[str | int, ...] = ()
    message: str

    def __str__(self) -> str:
        """Return the place and the remark."""
        return f"{place(self.path)}: {self.message}" if self.path else self.message


def lint_topic(topic: Topic) -> list[Lint]:
    """Return remarks on ``topic``, in the order of its clauses; none when ``check_topic`` finds mistakes."""
    if check_topic(topic):
        return []
    rule = read_rule(topic)
    return [
        *_meaning(topic),
        *_unreachable(topic),
        *_everything(rule),
        *_dead(rule),
        *(remark for path, sources in _lists(topic) for remark in _repeated(path, sources)),
        *(remark for path, sources in _lists(topic) for remark in _operators(path, sources)),
        *_lower_case(topic),
        *_foreign(topic),
    ]


def _meaning(topic: Topic) -> Iterator[Lint]:
    if topic.require == "both" and topic.has_rule and not topic.meaning:
        message = "both needs sentences under meaning beside the rule; without them this topic cannot match"
        yield Lint(path=("require",), message=message)
    if not topic.has_rule and not topic.meaning:
        yield Lint(message="a phrase alone is less sure: add sentences under meaning and unlike, or a rule")
    elif topic.meaning and not topic.unlike:
        yield Lint(
            path=("meaning",), message="without unlike sentences opposites and neighbours are told apart less well"
        )
    for nth, sentence in enumerate(topic.meaning):
        if len(sentence.split()) < _SHORTEST_CLAIM:
            message = "too short for a claim; write a whole sentence, as an article might say it"
            yield Lint(path=("meaning", nth), message=message)
    if topic.on_opposite == "alert" and not is_meant(topic):
        yield Lint(
            path=("on_opposite",), message="only meaning can tell an opposite; give this topic sentences under meaning"
        )


def _unreachable(topic: Topic) -> Iterator[Lint]:
    if topic.has_rule and topic.threshold > SCORE_HEAD and not topic.meaning:
        message = f"a rule scores at most {SCORE_HEAD}, so this topic cannot match by its rule"
        yield Lint(path=("threshold",), message=message)


def _everything(rule: Rule) -> Iterator[Lint]:
    restricting = (*rule.anchors, *rule.clauses)
    if rule.clauses and all(_is_common(clause.expression) for clause in restricting):
        message = "stands in almost every article, so this topic matches almost everything"
        yield Lint(path=rule.clauses[0].path, message=message)


def _is_common(expression: Expression) -> bool:
    match expression:
        case Term(sequences=sequences):
            return any(all(map(_is_common_word, sequence)) for sequence in sequences)
        case And(parts=parts):
            return all(map(_is_common, parts))
        case Or(parts=parts):
            return any(map(_is_common, parts))
        case Close(groups=groups):
            return all(any(map(_is_common, group)) for group in groups)
        case Not(part=part):
            return not _is_common(part)


def _is_common_word(word: Word) -> bool:
    if word.kind is Kind.WILD:
        return len(word.text.partition("*")[0]) < _SHORTEST_WILD
    return fold(word.text) in COMMON


def _dead(rule: Rule) -> Iterator[Lint]:
    """Yield the clauses that cannot hold because ``none`` forbids what they need."""
    forbidden = [clause.expression for clause in rule.vetoes if isinstance(clause.expression, Term)]
    for clause in (*rule.anchors, *rule.clauses):
        if _is_forbidden(clause.expression, forbidden):
            yield Lint(path=clause.path, message="dead: what it asks for is forbidden, so this topic can never match")


def _is_forbidden(expression: Expression, forbidden: Sequence[Term]) -> bool:
    match expression:
        case Term():
            return any(_holds_wherever(veto, expression) for veto in forbidden)
        case And(parts=parts):
            denied = [part.part for part in parts if isinstance(part, Not) and isinstance(part.part, Term)]
            return any(_is_forbidden(part, [*forbidden, *denied]) for part in parts)
        case Or(parts=parts):
            return all(_is_forbidden(part, forbidden) for part in parts)
        case Close(groups=groups):
            return any(all(_is_forbidden(term, forbidden) for term in group) for group in groups)
        case Not():
            return False


def _holds_wherever(veto: Term, term: Term) -> bool:
    """Return whether ``veto`` stands wherever ``term`` does: each way of writing the one is in the other."""
    if veto.field not in {"", term.field}:
        return False
    vetoed = _ways(veto)
    return all(any(_is_part(way, whole) for way in vetoed) for whole in _ways(term))


def _is_part(part: _Way, whole: _Way) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _ways(term: Term) -> tuple[_Way, ...]:
    """Return the sequences of ``term``, folded, so that terms which find the same are equal."""
    return tuple(
        tuple((word.kind, fold(word.text) if word.kind is Kind.STEM else word.text) for word in sequence)
        for sequence in term.sequences
    )


def _lists(topic: Topic) -> Iterator[tuple[_Path, Sequence[str]]]:
    """Yield every list of terms in ``topic`` with its path."""
    for nth, group in enumerate(topic.anchors):
        yield ("anchors", nth), group
    for name, sources in (("any", topic.any), ("all", topic.all), ("none", topic.none)):
        yield (name,), sources
    for nth, near in enumerate(topic.near):
        for g, group in enumerate(near.groups):
            yield ("near", nth, "groups", g), group


def _repeated(path: _Path, sources: Sequence[str]) -> Iterator[Lint]:
    first: dict[tuple[str, frozenset[_Way]], str] = {}
    for nth, source in enumerate(sources):
        term = read_term(source)
        key = (term.field, frozenset(_ways(term)))
        if key in first:
            yield Lint(path=(*path, nth), message=f'"{source}" finds the same as "{first[key]}"; one of them suffices')
        first.setdefault(key, source)


def _operators(path: _Path, sources: Sequence[str]) -> Iterator[Lint]:
    for nth, source in enumerate(sources):
        if '"' not in source and (used := sorted(_OPERATORS & set(source.split()))):
            message = f"{used[0]} is a plain word in a list; boolean expressions belong into query"
            yield Lint(path=(*path, nth), message=message)


def _lower_case(topic: Topic) -> Iterator[Lint]:
    for word, column in words_of(topic.query):
        if word.upper() in _OPERATORS and not word.isupper():
            message = f'"{word}" in column {column} is looked for as a word; the operator is {word.upper()}'
            yield Lint(path=("query",), message=message)


def _foreign(topic: Topic) -> Iterator[Lint]:
    others = sorted(language for language in topic.languages if stemmer(language) != "en")
    for nth, near in enumerate(topic.near):
        if near.negated and others:
            message = f"denials are found in English only, so this cannot hold in {', '.join(others)}"
            yield Lint(path=("near", nth, "negated"), message=message)
