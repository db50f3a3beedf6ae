"""How alike two articles are, as figures of which a model makes one score.

What two reports of one event share is a few rare words and names, and the day. What two look-alike events share is the
kind of thing that happened, or who did it, but seldom both; and what one is about is only mentioned at the end of the
other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from operator import mul
from typing import NamedTuple

from worker.stories.features import Features, cosine

#: The share that stands for "nothing to look for".
_NEITHER = 0.3


class Likeness(NamedTuple):
    """How alike two articles are, the same both ways; every figure is about 0..1, and -1..0 for none."""

    lead: float
    full: float
    #: Cosines of the words that are no names, of numbers, and of numbers with what they count.
    content: float
    numbers: float
    counted: float
    #: Names and content at once.
    both: float
    #: Logarithms of the summed squared rarity of shared names, and of shared words.
    shared_names: float
    shared_words: float
    #: Shares of the names in title and lead of one that the other has: of the better side, and in title and lead only.
    lead_names: float
    lead_in_lead: float
    #: The greatest share of such names that the other mentions further down only.
    only_mentioned: float
    #: Shares of the title's words, of both sides, and of its names.
    title_least: float
    title_most: float
    title_names_least: float
    title_names_most: float
    #: Share of the most prominent names, of the worse side.
    top_names: float
    #: Both leads name the same day of the week; they name different ones.
    same_day: float
    other_day: float
    #: Logarithm of the words of the shorter one: short articles share less.
    length: float
    #: Cosine of names.
    names: float
    #: Share of the words of title and first sentence, without names, that stand in title and lead of the other: of the
    #: better side.
    opening: float
    #: Both openings tell of acts, and of none that is the same.
    other_acts: float
    #: Both leads name days of the year, of which neither article has one of the other's lead.
    other_date: float


def compare(a: Features, b: Features) -> Likeness:
    """Return how alike two articles are."""
    shared = a.full_vector.keys() & b.full_vector.keys()
    content, names = cosine(a.content_vector, b.content_vector), cosine(a.name_vector, b.name_vector)
    in_text = _share(a.lead_name_weights, b.all_heard), _share(b.lead_name_weights, a.all_heard)
    in_lead = _share(a.lead_name_weights, b.lead_heard), _share(b.lead_name_weights, a.lead_heard)
    title = _share(a.title_weights, b.all_heard), _share(b.title_weights, a.all_heard)
    title_names = _share(a.title_name_weights, b.all_heard, 0.5), _share(b.title_name_weights, a.all_heard, 0.5)
    return Likeness(
        lead=cosine(a.lead_vector, b.lead_vector),
        full=sum(map(mul, map(a.full_vector.__getitem__, shared), map(b.full_vector.__getitem__, shared)), 0.0),
        content=content,
        numbers=cosine(a.number_vector, b.number_vector),
        counted=cosine(a.counted_vector, b.counted_vector),
        both=math.sqrt(content * names),
        shared_names=_logarithm(a.heard, a.heard.keys() & b.heard.keys()),
        shared_words=_logarithm(a.rareness, shared.intersection(a.rareness)),
        lead_names=max(in_text),
        lead_in_lead=max(in_lead),
        only_mentioned=max(in_text[0] - in_lead[0], in_text[1] - in_lead[1]),
        title_least=min(title),
        title_most=max(title),
        title_names_least=min(title_names),
        title_names_most=max(title_names),
        top_names=min(_share(a.top_name_weights, b.all_heard), _share(b.top_name_weights, a.all_heard)),
        same_day=float(bool(a.day) and a.day == b.day),
        other_day=float(bool(a.day and b.day) and a.day != b.day),
        length=math.log(max(1, min(a.words, b.words))) / 5,
        names=names,
        opening=max(_share(a.opening_weights, b.lead_terms), _share(b.opening_weights, a.lead_terms)),
        other_acts=float(bool(a.acts and b.acts) and a.acts.isdisjoint(b.acts)),
        other_date=float(bool(a.lead_dates and b.lead_dates) and set(a.dates).isdisjoint(b.dates)),
    )


def strangers(one: Features, many: Iterable[Features], least: float) -> bool:
    """Return whether an article has less than ``least`` in common with a group: ``lead`` and ``both``, the greatest.

    That is much sooner known than how alike they are, and true of most articles that share a rare word.
    """
    lead = both = 0.0
    for other in many:
        lead = max(lead, cosine(one.lead_vector, other.lead_vector))
        if named := cosine(one.name_vector, other.name_vector):
            both = max(both, math.sqrt(cosine(one.content_vector, other.content_vector) * named))
        if lead + both >= least:
            return False
    return True


def _share(wanted: Mapping[str, float], found: frozenset[str], nothing: float = _NEITHER) -> float:
    return sum(map(wanted.__getitem__, found.intersection(wanted)), 0.0) if wanted else nothing


def _logarithm(weights: Mapping[str, float], shared: Iterable[str]) -> float:
    return math.log1p(sum(map(weights.__getitem__, shared))) / 5
