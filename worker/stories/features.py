"""What of an article is compared: its lead, its names and numbers, and its shingles."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from worker.model import Article
from worker.text import fold, sentences, terms

#: Words of title and text that make the lead, and of the text that are looked at for names.
_LEAD_WORDS = 120
_NAME_CHARACTERS = 6000
#: Words in a shingle, and shingles kept of one article.
_SHINGLE = 5
_MAX_SHINGLES = 3000
_TITLE_WEIGHT = 2
_CAPITALISED = re.compile(r"[^\W\d_a-z][\w’'-]*")
_NUMBER = re.compile(r"\d[\d.,]*")
# Capitalised for grammar or custom, so no sign of who or where.
_COMMON = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December President Minister Prime Foreign Ministry Government Mr Mrs Ms Dr The A An "
    "In On At By For Of To And But This That It He She They We I His Her Their Speaking According"
)
_NO_NAMES = frozenset(map(fold, _COMMON.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The features of one article, as sparse vectors of length 1 and a set of shingle hashes."""

    lead: Mapping[str, float]
    names: Mapping[str, float]
    shingles: frozenset[int]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the ledger."""
        return {"lead": dict(self.lead), "names": dict(self.names), "shingles": sorted(self.shingles)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``to_json`` gave."""
        return cls(lead=values["lead"], names=values["names"], shingles=frozenset(values["shingles"]))


def features(article: Article, *, rarity: Callable[[str], float]) -> Features:
    """Return the features of ``article``. Time is linear in its length, with a bound."""
    title = terms(article.title, article.language)
    body = terms(article.text, article.language)
    lead = Counter(title * _TITLE_WEIGHT + body[:_LEAD_WORDS])
    return Features(
        lead=_unit({term: (1 + math.log(count)) * rarity(term) for term, count in lead.items()}),
        names=_unit({name: (1 + math.log(count)) * rarity(name) for name, count in _names(article).items()}),
        shingles=_shingles(body),
    )


def _names(article: Article) -> Counter[str]:
    """Return names and numbers with their counts; a word that begins a sentence counts only if seen elsewhere too."""
    found, doubtful = Counter[str](), Counter[str]()
    title_case = _is_title_case(article.title)
    for part, every_word_doubtful in ((article.title, title_case), (article.text[:_NAME_CHARACTERS], False)):
        starts = {start for start, _ in sentences(part)}
        for word in _CAPITALISED.finditer(part):
            term = fold(word.group(), article.language)
            if term and word.group()[0].isupper() and term not in _NO_NAMES:
                (doubtful if every_word_doubtful or word.start() in starts else found)[term] += 1
        found.update("#" + number.group().strip(".,") for number in _NUMBER.finditer(part))
    return found + Counter({term: count for term, count in doubtful.items() if term in found})


def _is_title_case(title: str) -> bool:
    words = [word for word in title.split() if word[:1].isalpha()]
    return sum(word[0].isupper() for word in words) > len(words) / 2


def _shingles(words: list[str]) -> frozenset[int]:
    # crc32 rather than hash(): the same in every process and run.
    pieces = (" ".join(words[i : i + _SHINGLE]) for i in range(max(0, len(words) - _SHINGLE + 1)))
    hashes = {zlib.crc32(piece.encode("utf-8", "surrogatepass")) for piece in pieces}
    # Of a long text the smallest hashes: a sample that is the same share of every text.
    return frozenset(sorted(hashes)[:_MAX_SHINGLES])


def _unit(vector: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    # Rounded so that the ledger's JSON is short; the same rounding happens before the first comparison.
    return {term: round(weight / length, 5) for term, weight in vector.items() if weight > 0} if length else {}


def cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Return the product of two vectors of length 1: 0 for nothing in common, 1 for the same."""
    if len(a) > len(b):
        a, b = b, a
    return sum(weight * b.get(term, 0.0) for term, weight in a.items())


def containment(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the share of the smaller set of shingles that the other holds too: 0..1, 0 when one is empty."""
    smaller = min(len(a), len(b))
    return len(a & b) / smaller if smaller else 0.0
