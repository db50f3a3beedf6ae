"""Negation: whether a sentence denies or refuses what stands in a part of it. English only.

A topic such as "will not negotiate about missiles" is a subject ("missiles", "negotiate") and a denial. This module
finds the denial by cues (``worker.topics.cues``), their reach and two rules for pairs, in the manner of NegEx (Chapman
et al. 2001, doi:10.1006/jbin.2001.1029), which showed that cues with a short reach go a long way.

Reach. A cue counts when it stands in the same sentence as the hits and

* *between* the first and the last hit, with no clause boundary before the last hit;
* at most five words *before* the first hit ("rejection of any direct or indirect talks"), with no boundary between;
* at most four words *after* the last hit ("talks on missiles are completely out of the question"), with no boundary
  between, and only where it says something of the hits: a state ("off limits"), a refusal in the passive ("were ruled
  out"), or "not" after a form of "be" or before "happen", "take place" and the like. "Negotiators could not pay"
  denies no negotiation.

A clause boundary is "but", "because" and the like, a semicolon, a colon, or a comma or dash without a partner; commas
of a negative list ("discuss, trade or limit") do not count.

Pairs. "Not" directly before a refusal or state undoes it ("does not rule out", "nothing is off the table", "refused
to rule out"). The denial of a statement ("denied that", "dismissed reports") turns round what the statement says: alone
it denies, together with another denial after it the two cancel.

Known limits: questions, conditions ("if talks are ruled out") and hearsay count as said; who refuses is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker.topics.cues import BE, Cue, Kind, cues, listed
from worker.topics.windows import Span

_BEFORE = 5
_AFTER = 4
#: Words before the hits within which the denial of a statement may stand: "denied a report by the agency that ...".
_STATEMENT_BEFORE = 12
_CONTRAST = listed("but while whereas although though because unless until despite however")
#: What may follow "not" for it to deny the existence of what stands before.
_OCCUR = listed("be happen take begin start proceed resume occur continue go")
_BE_NOT = frozenset({"isn't", "aren't", "wasn't", "weren't"})
#: What may stand between "not" and the refusal that it undoes, beside adverbs in -ly.
_BETWEEN_PAIR = BE | listed("a an the any to has have had longer yet even ever as considered about it this")
#: Refusals that undo another when followed by "to": "refused to rule out".
_UNDOING = listed("refuse refuses refused refusing decline declines declined declining")
_PAIR_REACH = 3
#: What may follow a passive in a headline.
_AFTER_PASSIVE = listed("by again as in at after amid on over for until before says say")
_DASHES = "—–"


def denial(words: Sequence[str], gap: Callable[[int], str], sentence: Span, first: int, last: int) -> Span | None:
    """Return the cue that denies or refuses what stands from token ``first`` to ``last``, or ``None``.

    Args:
        words: the squeezed words of the article.
        gap: what stands before a token and after its neighbour.
        sentence: first and last token of the sentence that holds the hits.
        first: first token of the first hit.
        last: last token of the last hit.
    """
    start = max(sentence[0], first - _STATEMENT_BEFORE)
    stop = min(sentence[1], last + 2 * _AFTER) + 1
    found = _without_pairs(cues(words, start, stop), words, gap)
    clause = _Clause(words, gap, first, last, sentence[1])
    plain = next((cue for cue in found if cue.kind is not Kind.CLAIM and clause.is_reached_by(cue)), None)
    claim = next((cue for cue in found if cue.kind is Kind.CLAIM and clause.is_stated_after(cue)), None)
    if claim is None:
        return (plain.first, plain.last) if plain else None
    return None if plain and plain.first > claim.last else (claim.first, claim.last)


def _without_pairs(found: list[Cue], words: Sequence[str], gap: Callable[[int], str]) -> list[Cue]:
    kept: list[Cue] = []
    for cue in found:
        if kept and _undoes(kept[-1], cue, words, gap):
            kept.pop()
        else:
            kept.append(cue)
    return kept


def _undoes(cue: Cue, other: Cue, words: Sequence[str], gap: Callable[[int], str]) -> bool:
    between = words[cue.last + 1 : other.first]
    if len(between) > _PAIR_REACH or other.kind is Kind.NOT or _is_parted(words, gap, cue.last, other.first):
        return False
    if cue.kind is Kind.NOT and words[cue.last] in {"no", "neither"} and between:
        return between[-1] in BE
    if cue.kind is Kind.NOT or words[cue.first] in _UNDOING:
        return all(word in _BETWEEN_PAIR or word.endswith("ly") for word in between)
    return False


def _is_parted(words: Sequence[str], gap: Callable[[int], str], before: int, after: int) -> bool:
    """Return whether a clause boundary lies between two tokens."""
    between = words[before + 1 : after]
    if not _CONTRAST.isdisjoint(between):
        return True
    marks = "".join(gap(token) for token in range(before + 1, after + 1))
    if any(mark in marks for mark in ";:"):
        return True
    is_list = "or" in between or "nor" in between
    return sum(map(marks.count, _DASHES)) % 2 == 1 or (marks.count(",") % 2 == 1 and not is_list)


class _Clause:
    """The hits, and which cues speak of them."""

    def __init__(self, words: Sequence[str], gap: Callable[[int], str], first: int, last: int, end: int) -> None:
        self._words = words
        self._gap = gap
        self._first = first
        self._last = last
        self._end = end

    def is_reached_by(self, cue: Cue) -> bool:
        if cue.kind is Kind.PREFIX:
            return cue.last + 1 in {self._first, self._last}
        if cue.last < self._first:
            near = self._first - cue.last - 1 <= _BEFORE
            return near and cue.kind is not Kind.STATE and not self._parted(cue.last, self._first)
        if cue.first > self._last:
            near = cue.first - self._last - 1 <= _AFTER
            return near and self._is_said_of_hits(cue) and not self._parted(self._last, cue.first)
        if not self._parted(cue.last, self._last):
            return True
        return cue.kind is Kind.STATE and not self._parted(self._first, cue.first)

    def is_stated_after(self, cue: Cue) -> bool:
        return cue.last < self._last and _CONTRAST.isdisjoint(self._words[cue.last + 1 : self._last])

    def _is_said_of_hits(self, cue: Cue) -> bool:
        word, before = self._words[cue.first], self._words[self._last + 1 : cue.first]
        match cue.kind:
            case Kind.STATE:
                return True
            case Kind.REFUSAL:
                if not (word.endswith("ed") or word == "forbidden"):
                    return False
                linked = all(w in BE or w in {"have", "has", "had"} or w.endswith("ly") for w in before)
                return linked and (not BE.isdisjoint(before) or self._ends_with(cue))
            case _:
                following = self._words[cue.last + 1 : cue.last + 2]
                is_not = word in _BE_NOT or (bool(before) and before[-1] in BE)
                return is_not or (bool(following) and following[0] in _OCCUR)

    def _ends_with(self, cue: Cue) -> bool:
        """Return whether a headline may end with ``cue``: "talks rejected", but not "negotiators rejected a bill"."""
        following = cue.last + 1
        if following > self._end or self._words[following] in _AFTER_PASSIVE:
            return True
        return any(mark in self._gap(following) for mark in ",;:.—–")

    def _parted(self, before: int, after: int) -> bool:
        return before < after and _is_parted(self._words, self._gap, before, after)
