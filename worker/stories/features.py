"""What of an article is compared: its words and how rare they are, its names, numbers and days, and its shingles."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count
from operator import mul
from typing import Any, Self

from worker.model import Article
from worker.stories import names as naming
from worker.stories.dates import dates
from worker.stories.numbers import Number, numbers
from worker.stories.shingles import hashes, shingles
from worker.stories.small import small
from worker.stories.statements import Statements, beginning_with, statements
from worker.text import sentences, terms

#: Words of the text that count as its lead, and words and characters that are looked at in all.
LEAD_WORDS = 60
_MOST_WORDS = 1500
_MOST_CHARACTERS = 2_600
#: Terms kept of one article: the ones that weigh most.
_MOST_TERMS = 300
_MOST_NUMBERS = 60
#: Terms by which a story is found again.
_KEY_TERMS = 24
#: A term that is less rare than this says nothing about an event.
_RARE_ENOUGH = 1.2
#: In ``small`` letters.
_DAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(?<!\w...)(?:s|nes|rs|ur)?day\b")
_WORDS_WITH_BLANKS = re.compile(rf"(?:\S+\s+){{0,{LEAD_WORDS - 1}}}\S*")
_FEW = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The features of one article. What is kept in the ledger comes first; the rest is worked out from it.

    That is done when it is first asked for: of most articles that are found by a rare word no more is ever asked than
    what shows that they have too little in common (``comparing.strangers``).
    """

    #: Terms of title and text, each with its rarity; names are among them.
    rarity: Mapping[str, float]
    #: How often those terms stand there that stand there more than once; those of the title count twice.
    counts: Mapping[str, int]
    title: tuple[str, ...]
    #: Terms of title and lead.
    lead: tuple[str, ...]
    names: tuple[str, ...]
    #: Names of title and lead.
    lead_names: tuple[str, ...]
    #: How those names sound that nobody knows, so that they are found in another spelling.
    sounds: Mapping[str, str]
    #: How much each number weighs.
    numbers: Mapping[str, float]
    #: Numbers with what they count: "14 miner".
    counted: tuple[str, ...]
    #: The day of the week that the lead names first, or an empty string.
    day: str
    #: Days of the year that are named, "may 12", and how many of them in title and lead: those come first.
    dates: tuple[str, ...]
    lead_dates: int
    #: How many of the terms of title and lead, which come in order, stand in title and first sentence.
    opening: int
    words: int
    #: Facts in title and first sentences, and what the whole article has of their kind.
    said: Statements
    shingles: bytes = field(repr=False)

    #: Of this value and no other one in this process: what was worked out of two is found again by theirs.
    serial: int = field(init=False, repr=False, compare=False, default_factory=count().__next__)
    # Worked out, these three together:
    #: Vectors of length 1.
    lead_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    content_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    name_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    # and the rest:
    full_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    number_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    counted_vector: Mapping[str, float] = field(init=False, repr=False, compare=False)
    #: By how much the rarity of rare terms is above that of common ones, squared.
    rareness: Mapping[str, float] = field(init=False, repr=False, compare=False)
    #: Names and their squared rarity, with what rare ones sound like in the place of how they are spelled; and all
    #: terms.
    heard: Mapping[str, float] = field(init=False, repr=False, compare=False)
    lead_heard: frozenset[str] = field(init=False, repr=False, compare=False)
    all_heard: frozenset[str] = field(init=False, repr=False, compare=False)
    #: What should be found again in a report of the same event: squared rarities, in sum 1.
    title_weights: Mapping[str, float] = field(init=False, repr=False, compare=False)
    lead_name_weights: Mapping[str, float] = field(init=False, repr=False, compare=False)
    title_name_weights: Mapping[str, float] = field(init=False, repr=False, compare=False)
    top_name_weights: Mapping[str, float] = field(init=False, repr=False, compare=False)
    #: The words of title and first sentence that are no names.
    opening_weights: Mapping[str, float] = field(init=False, repr=False, compare=False)
    lead_terms: frozenset[str] = field(init=False, repr=False, compare=False)
    acts: frozenset[str] = field(init=False, repr=False, compare=False)
    # By itself:
    copied: frozenset[int] = field(init=False, repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of whatever type the field is
        """Work out a field that is not there yet; Python asks for no other."""
        work = _BY_ITSELF.get(name) or (_worked_out if name in _FURTHER else None)
        if work is None:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        for field_name, value in work(self).items():
            object.__setattr__(self, field_name, value)
        return object.__getattribute__(self, name)

    @property
    def key_terms(self) -> tuple[str, ...]:
        """The terms by which its story is found again, rarest first: those of title, lead and names."""
        wanted = {*self.title, *self.lead, *self.names}
        found = {self.sounds.get(term, term): self.rarity.get(term, 0.0) for term in wanted}
        # A name weighs as much as the rarest word, and a word in the title more than one in the text.
        titled = set(self.title)
        ranked = sorted(found.items(), key=lambda pair: (-(pair[1] + (pair[0] in titled) * 0.5), pair[0]))
        return tuple(term for term, rarity in ranked if rarity >= _RARE_ENOUGH)[:_KEY_TERMS]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the ledger; the shingles are kept beside them, as bytes."""
        return {
            "rarity": dict(self.rarity),
            "counts": dict(self.counts),
            "title": list(self.title),
            "lead": list(self.lead),
            "names": list(self.names),
            "lead_names": list(self.lead_names),
            "sounds": dict(self.sounds),
            "numbers": dict(self.numbers),
            "counted": list(self.counted),
            "day": self.day,
            "dates": list(self.dates),
            "lead_dates": self.lead_dates,
            "opening": self.opening,
            "words": self.words,
            "said": self.said.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], shingles: bytes) -> Self:
        """Return what ``to_json`` gave. Values of an older version have no words, and resemble nothing."""
        if "rarity" not in values:
            return cls.nothing()
        lists: dict[str, Any] = {key: tuple(values[key]) for key in ("title", "lead", "names", "lead_names", "counted")}
        same = {key: values[key] for key in ("rarity", "counts", "sounds", "numbers", "day", "words")}
        # An article that was kept before its dates were has the title for its opening.
        since = {"lead_dates": values.get("lead_dates", 0), "opening": values.get("opening", len(lists["title"]))}
        return cls(
            **lists,
            **same,
            **since,
            dates=tuple(values.get("dates", ())),
            said=Statements.from_json(values["said"]),
            shingles=shingles,
        )

    @classmethod
    def nothing(cls) -> Self:
        """Return the features of an article without words."""
        empty: dict[str, Any] = dict.fromkeys(("title", "lead", "names", "lead_names", "counted", "dates"), ())
        return cls(
            **empty,
            rarity={},
            counts={},
            sounds={},
            numbers={},
            day="",
            lead_dates=0,
            opening=0,
            words=0,
            said=Statements.nothing(),
            shingles=b"",
        )


def features(article: Article, *, rarity: Callable[[str], float]) -> Features:
    """Return the features of ``article``. Time is linear in its length, with a bound."""
    text, language = article.text[:_MOST_CHARACTERS], article.language
    title, body = terms(article.title, language), terms(article.text, language)
    lead = _lead(text)
    #: Where the lead ends.
    end = len(text) - len(text.lstrip()) + len(lead)
    spans = sentences(text)
    found = naming.names(article.title, text, language, rarity=rarity, spans=spans)
    counts = Counter(title * 2 + body[:_MOST_WORDS])
    all_ = {*counts, *found}
    rarities = dict(zip(all_, map(_ROUNDED.__getitem__, map(rarity, all_)), strict=True))
    kept = _weightiest(rarities, counts)
    whole = beginning_with(article.title, text)
    lowered = small(whole)
    numbered = list(numbers(whole, language, lowered=lowered))
    weighed = numbered[:_MOST_NUMBERS]
    beginning = f"{article.title}. {lead}"
    day, early = _DAY.search(small(beginning)), dates(beginning)
    opened = len(title) + len(terms(text[slice(*spans[0])], language)) if spans else len(title)
    return Features(
        rarity=kept,
        counts={term: often for term, often in counts.items() if often > 1 and term in kept},
        title=tuple(filter(kept.__contains__, dict.fromkeys(title))),
        lead=tuple(filter(kept.__contains__, dict.fromkeys(title + body[:LEAD_WORDS]))),
        names=tuple(filter(kept.__contains__, found)),
        lead_names=tuple(term for term, places in found.items() if term in kept and min(places) < end),
        sounds=naming.sounds((term for term in found if term in kept), rarity=rarity),
        numbers={number.key: round(_weight(number, rarity), 2) for number in weighed},
        counted=tuple(dict.fromkeys(f"{n.key} {n.unit}" for n in weighed if n.unit and rarity(n.unit) > _RARE_ENOUGH)),
        day=day[1] if day else "",
        dates=tuple(dict.fromkeys(early + dates(text))),
        lead_dates=len(set(early)),
        opening=len({term for term in (title + body[:LEAD_WORDS])[:opened] if term in kept}),
        words=len(title) + len(body),
        said=statements(article.title, text, language, spans=spans, numbered=numbered, lowered=lowered),
        shingles=shingles(body),
    )


def _lead(text: str) -> str:
    found = _WORDS_WITH_BLANKS.match(text.lstrip())
    return found.group() if found else ""


def _weightiest(rarities: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, float]:
    rare = {term: rarity for term, rarity in rarities.items() if rarity >= _RARE_ENOUGH}
    if len(rare) <= _MOST_TERMS:
        return rare
    by_weight = sorted(rare, key=lambda term: (-rare[term] * _log(counts.get(term, 1)), term))[:_MOST_TERMS]
    return {term: rare[term] for term in by_weight}


def _weight(number: Number, rarity: Callable[[str], float]) -> float:
    # Two and three stand in every article, 412,380 in those about one recall.
    if number.value <= 2:  # noqa: PLR2004 - see above
        return 0.3
    return rarity(number.key) * (1.0 if number.value > _FEW else 0.6)


def _log(often: int) -> float:
    return 1 + math.log(often) if often else 1.0


def _unit(vector: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum([weight * weight for weight in vector.values()]))
    return {term: weight / length for term, weight in vector.items()} if length else {}


def _shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


class _Rounded(dict[float, float]):
    """A dictionary from a number to itself with two decimals: that of each term of an article would be asked anew."""

    def __missing__(self, value: float) -> float:
        if len(self) >= _REMEMBERED:
            self.clear()
        short = self[value] = round(value, 2)
        return short


#: Numbers that are remembered rounded; the table of rarities has fewer.
_REMEMBERED = 20_000
_ROUNDED = _Rounded()


def _weighted(f: Features) -> dict[str, float]:
    """Return how much each term weighs: its rarity, and more when it stands there more than once."""
    rarity = f.rarity
    return {**rarity, **{term: rarity[term] * _log(often) for term, often in f.counts.items()}}


def _three_vectors(f: Features) -> dict[str, Any]:
    """Return the values of the three fields by which strangers are known."""
    rarity, weighted, title = f.rarity, _weighted(f), set(f.title)
    name_vector = _unit({f.sounds.get(name, name): weighted[name] for name in f.names})
    for term in [*f.names, *filter(str.isdigit, weighted)]:
        weighted.pop(term, None)
    return {
        "lead_vector": _unit({term: rarity[term] * (_TWICE if term in title else 1.0) for term in f.lead}),
        "content_vector": _unit(weighted),
        "name_vector": name_vector,
    }


def _worked_out(f: Features) -> dict[str, Any]:
    """Return the values of the other fields that are not kept, without ``copied``."""
    rarity, sound = f.rarity, {name: f.sounds.get(name, name) for name in f.names}
    title = set(f.title)
    salience = {name: math.sqrt(f.counts.get(name, 1)) * rarity[name] for name in f.names}
    salient = sorted(salience, key=lambda name: (-salience[name] * (1.5 if name in title else 1.0), name))[:_TOP]
    return {
        "full_vector": _unit(_weighted(f)),
        "number_vector": _unit(dict(f.numbers)),
        "counted_vector": _unit({pair: 1.0 + f.numbers.get(pair.split(" ", 1)[0], 0.0) for pair in f.counted}),
        "rareness": {term: (rare - _WORD_COUNTS) ** 2 for term, rare in rarity.items() if rare > _WORD_COUNTS},
        "heard": {sound[name]: rarity[name] ** 2 for name in f.names},
        "lead_heard": frozenset([sound[name] for name in f.lead_names]),
        "all_heard": frozenset(rarity).difference(f.sounds).union(f.sounds.values()),
        "title_weights": _shares({sound.get(term, term): rarity[term] ** 2 for term in f.title}),
        "lead_name_weights": _shares({sound[name]: rarity[name] ** 2 for name in f.lead_names}),
        "title_name_weights": _shares({sound[name]: rarity[name] ** 2 for name in f.names if name in title}),
        "top_name_weights": _shares({sound[name]: salience[name] for name in salient}),
        "opening_weights": _shares({term: rarity[term] ** 2 for term in f.lead[: f.opening] if term not in sound}),
        "lead_terms": frozenset(f.lead),
        "acts": frozenset(f.said.acts),
    }


#: What works out a field together with no others, or with those beside which it is asked for.
_BY_ITSELF: Mapping[str, Callable[[Features], Mapping[str, Any]]] = {
    **dict.fromkeys(("lead_vector", "content_vector", "name_vector"), _three_vectors),
    "copied": lambda f: {"copied": hashes(f.shingles)},
}
_FURTHER = frozenset(each.name for each in fields(Features) if not each.init) - _BY_ITSELF.keys() - {"serial"}


_TOP = 6
_TWICE = 1 + math.log(2)
#: Rarity from which a shared word counts.
_WORD_COUNTS = 3.0


def cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Return the product of two vectors of length 1: 0 for nothing in common, 1 for the same."""
    shared = a.keys() & b.keys()
    return sum(map(mul, map(a.__getitem__, shared), map(b.__getitem__, shared)), 0.0) if shared else 0.0


__all__: Sequence[str] = ["LEAD_WORDS", "Features", "cosine", "features"]
