"""Search: whether an expression holds in an article, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from worker.topics.binding import OneOf
from worker.topics.expressions import And, Close, Expression, Not, Or
from worker.topics.negation import denial
from worker.topics.terms import Term
from worker.topics.windows import Span, windows

if TYPE_CHECKING:
    from worker.topics.concordance import Concordance

#: For each term or window that holds, the spans where it does.
Places: TypeAlias = list[list[Span]]
#: Denied passages of one clause in one article; who repeats himself more often gets no more evidence.
_ENOUGH = 50
#: Tokens of a sentence that are looked at on either side of a window.
_VIEW = 20


def search(expression: Expression, text: Concordance) -> Places | None:
    """Return where ``expression`` holds in ``text``, or ``None`` when it does not.

    The list is empty when it holds because something is absent.
    """
    match expression:
        case OneOf(atoms=atoms):
            return [text.atoms[atom] for atom in atoms if text.atoms.has(atom)] or None
        case And(parts=parts):
            return _all(parts, text)
        case Term():
            hits = text.hits(expression)
            return [hits] if hits else None
        case Close():
            spans = windows_of(expression, text)
            if expression.negated:
                spans = [span for _, span in denied(spans, text)]
            return [spans] if spans else None
        case Or(parts=parts):
            found = [places for part in parts if (places := search(part, text)) is not None]
            return [spans for places in found for spans in places] if found else None
        case Not(part=part):
            return [] if search(part, text) is None else None


def holds(expression: Expression, text: Concordance) -> bool:
    """Return whether ``expression`` holds in ``text``, which takes less than to say where."""
    if isinstance(expression, OneOf):
        return any(map(text.atoms.has, expression.atoms))
    return search(expression, text) is not None


def _all(parts: tuple[Expression, ...], text: Concordance) -> Places | None:
    found: Places = []
    for part in parts:
        places = search(part, text)
        if places is None:
            return None
        found += places
    return found


def windows_of(close: Close, text: Concordance) -> list[Span]:
    """Return the windows in which the groups of ``close`` stand together, whether denied or not."""
    groups = [group_hits(group, text) for group in close.groups]
    # Most hits are far apart however their distance is counted; only the others ask where lines and sentences end.
    if not all(groups) or not windows(groups, range(text.count), within=close.within, ordered=close.ordered):
        return []
    places = text.sentences if close.negated else text.paragraphs
    return windows(groups, places, within=close.within, ordered=close.ordered)


def group_hits(group: tuple[Term, ...], text: Concordance) -> list[Span]:
    """Return the hits of all terms of ``group``."""
    if len(group) == 1:
        return text.hits(group[0])
    return sorted({span for term in group for span in text.hits(term)})


def denied(spans: list[Span], text: Concordance) -> list[tuple[str, Span]]:
    """Return the first spans that their sentence denies: the denying words, and the span widened to hold them."""
    found: list[tuple[str, Span]] = []
    for first, last in spans:
        cue = denial(text.squeezed, text.gap, _sentence(text, first, last), first, last)
        if cue:
            said = text.evidence(cue).text
            found.append((said, (min(first, cue[0]), max(last, cue[1]))))
        if len(found) == _ENOUGH:
            break
    return found


def _sentence(text: Concordance, first: int, last: int) -> Span:
    """Return as much of the sentence around a window as matters to it."""
    places = text.sentences
    low = max(0, first - _VIEW)
    while places[first] - places[low] != first - low:
        low += 1
    high = min(len(places) - 1, last + _VIEW)
    while places[high] - places[last] != high - last:
        high -= 1
    return low, high


def holding(group: tuple[Term, ...], text: Concordance, within: Span | None = None) -> Term | None:
    """Return the first term of ``group`` that has a hit, in the span ``within`` if one is given."""
    inside: Callable[[Span], bool] = (
        (lambda hit: within[0] <= hit[0] and hit[1] <= within[1]) if within else lambda _: True
    )
    return next((term for term in group if any(map(inside, text.hits(term)))), None)
