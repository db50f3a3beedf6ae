"""Cues: the English words by which a sentence denies or refuses, each with what it does.

``NOT``
    negates what follows it in its clause: not, never, no, without, "far from".
``REFUSAL``
    an act of refusing what follows, or in the passive what stands before: reject, refuse, rule out.
``STATE``
    a state in which something is not to be had, said of what stands before: off limits, off the table, red line.
``CLAIM``
    denies a whole statement, whatever it says: "denied that", "dismissed reports".
``PREFIX``
    non-, which negates one word.

The lists are English grammar, not a thesaurus for one subject: whoever needs another turn of phrase puts it into a
group of the topic. Words are compared caseless and without stems, so that "denial" and "deny" can differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a cue does."""

    NOT = "not"
    REFUSAL = "refusal"
    STATE = "state"
    CLAIM = "claim"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue and the tokens, first and last, that it consists of."""

    kind: Kind
    first: int
    last: int


def listed(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


BE = listed("be is are was were been being am remain remains remained stay stays stayed")

_SINGLE = {
    Kind.NOT: """not never cannot no nor neither without nothing none nobody hardly barely unwilling""",
    Kind.REFUSAL: """reject rejects rejected rejecting rejection refuse refuses refused refusing refusal rebuff
        rebuffs rebuffed rebuffing dismiss dismisses dismissed dismissing dismissal decline declines declined
        declining exclude excludes excluded excluding exclusion resist resists resisted resisting oppose opposes
        opposed opposing spurn spurns spurned shun shuns shunned veto vetoes vetoed forbid forbids forbade
        forbidden""",
    Kind.STATE: "nonnegotiable unacceptable unthinkable impossible",
    Kind.CLAIM: "deny denies denied denying denial denials refute refutes refuted refuting",
    Kind.PREFIX: "non",
}
_SEVERAL = {
    Kind.NOT: ("no longer", "short of", "far from", "rather than", "instead of"),
    Kind.REFUSAL: (
        *("rule out", "rules out", "ruled out", "ruling out", "turn down", "turns down", "turned down"),
        *("closed to", "outside the scope of"),
    ),
    Kind.STATE: (
        *("non negotiable", "off limits", "off the table", "off the agenda", "red line", "red lines"),
        *("out of the question", "out of bounds", "beyond discussion", "beyond debate", "beyond negotiation"),
        *("closed to discussion", "closed to debate", "closed to negotiation"),
    ),
}
#: A refusal of one of these within a few words is the denial of a statement.
_STATEMENTS = listed(
    """that report reports claim claims suggestion suggestions speculation allegation allegations accusation
    accusations rumour rumours rumor rumors notion idea assertion assertions charge charges"""
)
_TO_STATEMENT = 3
#: Verbs after which "not" says that something was left undone or unsaid, and refuses nothing.
_UNDONE = listed(
    """agree reach reached secure secured clinch finish produce produced confirm confirmed comment commented
    disclose disclosed say said specify specified mention mentioned know known clear attend verified verify"""
)
#: Nouns after which "no" and "without" say the same.
_LACKING = listed(
    """progress breakthrough agreement deal date dates sign signs comment word detail details result results
    immediate precondition preconditions condition conditions doubt wonder matter sooner surprise evidence"""
)
_NOT_ONLY = listed("only just merely simply")


def _phrases() -> Iterable[tuple[tuple[str, ...], Kind]]:
    for kind in Kind:
        yield from ((tuple(phrase.split()), kind) for phrase in (*_SINGLE[kind].split(), *_SEVERAL.get(kind, ())))


def _filed() -> dict[str, list[tuple[tuple[str, ...], Kind]]]:
    filed: dict[str, list[tuple[tuple[str, ...], Kind]]] = {}
    for phrase, kind in _phrases():
        filed.setdefault(phrase[0], []).append((phrase, kind))
    for choices in filed.values():
        choices.sort(key=lambda choice: -len(choice[0]))
    return filed


_FILED = _filed()


def cues(words: Sequence[str], start: int, stop: int) -> list[Cue]:
    """Return the cues among ``words[start:stop]``, in order, the longest where several begin.

    ``words`` are squeezed (``worker.text.squeeze``); at ``stop`` the sentence, or what is looked at of it, ends.
    """
    found: list[Cue] = []
    at = start
    while at < stop:
        cue = _cue_at(words, at, stop)
        if cue:
            found.append(cue)
        at = cue.last + 1 if cue else at + 1
    return found


def _cue_at(words: Sequence[str], at: int, stop: int) -> Cue | None:
    word = words[at]
    if word.endswith("n't"):
        return None if _leaves_undone(words, at, stop) else Cue(Kind.NOT, at, at)
    for phrase, kind in _FILED.get(word, ()):
        last = at + len(phrase) - 1
        if last < stop and tuple(words[at : last + 1]) == phrase:
            return _judged(Cue(kind, at, last), words, stop)
    return None


def _judged(cue: Cue, words: Sequence[str], stop: int) -> Cue | None:
    """Return ``cue`` as its surroundings make it, or ``None`` where it refuses nothing."""
    following = words[cue.last + 1 : min(cue.last + 1 + _TO_STATEMENT, stop)]
    if cue.kind is Kind.REFUSAL and not _STATEMENTS.isdisjoint(following):
        return Cue(Kind.CLAIM, cue.first, cue.last)
    if cue.kind is Kind.NOT and _leaves_undone(words, cue.last, stop):
        return None
    return cue


def _leaves_undone(words: Sequence[str], last: int, stop: int) -> bool:
    following = [word for word in words[last + 1 : min(last + 4, stop)] if word not in BE]
    if not following:
        return False
    if words[last] in {"no", "without"}:
        return not _LACKING.isdisjoint(following[:2]) or following[0].isdigit()
    agreeing = following[:2] == ["agree", "to"]
    return following[0] in _NOT_ONLY or (following[0] in _UNDONE and not agreeing)
