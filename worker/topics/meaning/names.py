"""Names: whom a claim speaks of, and whether a passage speaks of them or of others.

"Same words about somebody else" is what an embedding cannot see, and what it is wrong about most often.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeAlias

#: One name, as the folded words of which any shows that it is meant.
Name: TypeAlias = frozenset[str]

_WORD = re.compile(r"[^\W\d_]+(?:[-'’.&][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
#: Letters; shorter parts of a name ("Al", "de") are shared by too many names.
_LEAST = 3
#: Words of a name that is also known by its initials.
_INITIALS = 3
#: Written with a capital wherever they stand, and nobody's name.
_DAYS = "monday tuesday wednesday thursday friday saturday sunday i"
_MONTHS = "january february march april may june july august september october november december"
_CALENDAR = frozenset(_DAYS.split()) | frozenset(_MONTHS.split())
_JOINTS = frozenset({"of", "the", "and", "de", "la", "al", "el", "bin", "von", "van", "&"})


@dataclass(frozen=True, slots=True)
class Mention:
    """How a passage stands to the names of a claim."""

    #: The share of the claim's names that are mentioned, 0 to 1; 1 when the claim names nobody.
    share: float
    #: The claim names somebody, and here only others are named.
    others: bool


def names_of(texts: Sequence[str]) -> tuple[Name, ...]:
    """Return the names that ``texts`` (the claims of one topic) mention, each once.

    A word that begins a sentence counts when another capital follows it, or when it stands elsewhere with a capital.
    A word that is also written small is no name.
    """
    small = {fold(word) for text in texts for word in _words(text) if word[0].islower()}
    runs = [run for text in texts for run in _runs(text, small)]
    names: list[Name] = []
    for run in runs:
        name = _name(run)
        if name and not any(name <= known or known <= name for known in names):
            names.append(name)
    return tuple(names)


def mention(names: Sequence[Name], context: str) -> Mention:
    """Return how ``context`` (a passage with what stands before it) speaks of ``names``."""
    if not names:
        return Mention(share=1.0, others=False)
    words = {fold(word) for word in _words(context) if word[0].isupper()}  # "us" is not the US
    met = sum(not name.isdisjoint(words) for name in names)
    return Mention(share=met / len(names), others=met == 0 and any(True for _ in _runs(context, frozenset())))


@cache
def fold(word: str) -> str:
    """Return ``word`` in small letters, without accents, full stops and possessive."""
    bare = _POSSESSIVE.sub("", word).replace(".", "").casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _runs(text: str, small: Iterable[str]) -> Iterable[list[str]]:
    """Yield the runs of capitalised words in ``text`` that are names."""
    common = frozenset(small) | _CALENDAR
    run: list[str] = []
    first, end = False, -1
    for found in _WORD.finditer(text):
        word = found.group()
        joined = text[end : found.start()].strip(" &-") == "" if run else False
        capital = word[0].isupper() and fold(word) not in common
        if run and not (joined and (capital or fold(word) in _JOINTS)):
            yield from _kept(run, first=first)
            run = []
        if capital:
            if not run:
                first = _begins(text, found.start())
            run.append(word)
        elif run and fold(word) not in _JOINTS:
            yield from _kept(run, first=first)
            run = []
        end = found.end()
    if run:
        yield from _kept(run, first=first)


def _kept(run: list[str], *, first: bool) -> Iterable[list[str]]:
    while run and fold(run[0]) in _JOINTS:
        run = run[1:]
    # A single capitalised word at the beginning of a sentence is most often no name.
    if len(run) > 1 or (run and (not first or run[0].isupper() or fold(run[0]) in _places())):
        yield run


def _begins(text: str, at: int) -> bool:
    before = text[:at].rstrip(" \"'“‘«(")
    return not before or before[-1] in ".!?:\n"


def _name(run: Sequence[str]) -> Name:
    folded = [fold(word) for word in run]
    whole = " ".join(folded)
    known = _places().get(whole)
    if known:
        return known
    name = {word for word in folded if len(word) >= _LEAST and word not in _JOINTS}
    for word in folded:
        name |= _places().get(word, frozenset())
    if len(folded) >= _INITIALS:
        name.add("".join(word[0] for word in folded if word not in _JOINTS))
    return frozenset(name)


@cache
def _places() -> dict[str, Name]:
    """Return countries and unions with the words that speak of them; every such word leads to all."""
    rows = resources.files("worker.topics.meaning").joinpath("places.tsv").read_text("utf-8").splitlines()
    places: dict[str, Name] = {}
    for row in rows:
        name, aliases = row.split("\t")
        words = frozenset(map(fold, aliases.split()))
        single = fold(name)
        group = words if " " in name else words | {single}
        for key in (single, *words):
            places.setdefault(key, group)
    return places
