"""Terms: what the lists, groups and queries of a topic are made of.

======================  ============================================================================================
``missile``             the word in any form and spelling family: "missiles", "Missile's"
``off the table``       a phrase: these words in sequence; ``"off the table"`` in double quotes is the same
``non-negotiable``      a phrase too, and the solid "nonnegotiable" as well; the solid form finds the hyphenated
``negotiat*``           a wildcard, at the end or inside a word, after at least two letters; the word as written
``=strikes``            the word as written: no stem, no spelling family; case and accents do not matter
``title:missile``       only in the title; ``text:`` only in the text
======================  ============================================================================================

Curly quotes are straight ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import islice, product

from worker.text import squeeze, tokens
from worker.topics.errors import RuleError

FIELDS = ("title", "text")
#: Words in one term. A phrase longer than this is a quotation, and finds at most itself.
MAX_WORDS = 30
#: Ways of writing one term. Two for each hyphen, so that only absurd terms come near.
_MAX_SEQUENCES = 16
_LETTERS_BEFORE_STAR = 2
_SHORTEST_REST = 4
#: Terms kept: topics share most of their words, and so the terms made of them.
_REMEMBERED = 1 << 16
_HYPHENS = frozenset("-\u2010\u2011")
_STRAIGHT = str.maketrans(dict.fromkeys("“”„‟«»″＂", '"') | dict.fromkeys("‘’‚‛ʼ＇", "'"))
# The prefixes that English writes solid, with a hyphen or alone; those of the second row only before a vowel
# ("re-elect", "co-operate"), lest every word in re- be looked for in halves. No word of its own ("over", "under")
# may stand here: "overtime" is not "over time".
_PREFIX = re.compile(r"(?:non|anti|counter|multi|semi|ultra|cyber|mid|post|(?:re|pre|co)(?=[aeiou]))(?=\w)")
_FIELD = re.compile(r"([A-Za-z]+):(?=\S)|(title|text):", re.IGNORECASE)
#: A word of which nothing has to be found out; nearly all terms are such words.
_SINGLE = re.compile(r"[A-Za-z0-9]+")
_PIECE = re.compile(r"[\w*'\u00ad\u200b-\u200d\u2060]+")


class Kind(Enum):
    """How a word of a term is compared with a word of an article."""

    STEM = "stem"
    EXACT = "exact"
    WILD = "wild"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a term: as written for ``STEM``, squeezed for the others, ``*`` standing for any letters."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term as it is compared: any of ``sequences`` of words, in ``field`` or, when that is empty, anywhere."""

    #: As written, with its field in front: the same text always means the same.
    source: str
    field: str = ""
    sequences: tuple[tuple[Word, ...], ...]


def straighten(text: str) -> str:
    """Return ``text`` with straight quotes and apostrophes, character for character."""
    return text.translate(_STRAIGHT)


@lru_cache(maxsize=_REMEMBERED)
def read_term(source: str, field: str = "") -> Term:
    """Return the term that ``source`` writes; ``field`` is the one it stands in, if it names none itself.

    Raises:
        RuleError: it has no word, a wildcard or quote that cannot be understood, or a field that does not exist.
    """
    if _SINGLE.fullmatch(source) and _prefix(source.lower()) is None:
        word = Word(Kind.STEM, source)
        return Term(source=f"{field}:{source}" if field else source, field=field, sequences=((word,),))
    text = straighten(source)
    start = len(text) - len(text.lstrip())
    text = text.rstrip()
    if named := _FIELD.match(text, start):
        field, start = _named_field(named), named.end()
    exact, start, end = _unquoted(text, start)
    units = list(_units(text, start, end, exact=exact))
    if not units:
        raise RuleError("there is no word in it", start + 1)
    if sum(len(pieces) for pieces in units) > MAX_WORDS:
        raise RuleError(f"a phrase has at most {MAX_WORDS} words; take its most telling part", start + 1)
    written = source.strip()
    return Term(
        source=written if named or not field else f"{field}:{written}",
        field=field,
        sequences=_sequences(units),
    )


def _named_field(named: re.Match[str]) -> str:
    if named.group(2):
        raise RuleError(f"write {named.group()} and what it is to hold without a space between", named.end() + 1)
    name = named.group(1).lower()
    if name not in FIELDS:
        message = f'there is no field "{named.group(1)}", only {" and ".join(FIELDS)}; put quotes round a colon'
        raise RuleError(message, named.start() + 1)
    return name


def _unquoted(text: str, start: int) -> tuple[bool, int, int]:
    """Return whether the whole term is exact, and where its words begin and end."""
    end = len(text)
    opening = start + text.startswith("=", start)
    if text.startswith('"', opening):
        if text.find('"', opening + 1) < 0:
            raise RuleError("this quote is never closed", opening + 1)
        exact, start, end = opening > start, opening + 1, end - text.endswith('"')
    else:
        exact = False
    if (inner := text.find('"', start, end)) >= 0:
        raise RuleError("quotes go round a whole phrase", inner + 1)
    return exact, start, end


def _units(text: str, start: int, end: int, *, exact: bool) -> Iterator[list[Word]]:
    """Yield the words between ``start`` and ``end``; words that a hyphen or a prefix binds come together."""
    unit: list[Word] = []
    last = start
    for piece in _PIECE.finditer(text, start, end):
        gap = text[last : piece.start()]
        exactly = exact or _is_exact(text, start, piece.start())
        for nth, word in enumerate(_words(piece, exactly=exactly)):
            bound = nth == 0 and (gap in _HYPHENS or _is_prefix(unit))
            if unit and not bound:
                yield unit
                unit = []
            unit = [*unit, word]
        last = piece.end()
    if unit:
        yield unit


def _is_exact(text: str, start: int, at: int) -> bool:
    """Whether the chunk between blanks that ``at`` belongs to begins with an equals sign."""
    begin = max(text.rfind(" ", start, at) + 1, start)
    return text.startswith("=", begin)


def _is_prefix(unit: list[Word]) -> bool:
    """Whether ``unit`` is a prefix standing alone, as in "non negotiable"."""
    return len(unit) == 1 and unit[0].kind is not Kind.WILD and _prefix(f"{squeeze(unit[0].text)}a") is not None


def _prefix(word: str) -> str | None:
    found = _PREFIX.match(word)
    return found.group() if found and len(word) > found.end() else None


def _words(piece: re.Match[str], *, exactly: bool) -> list[Word]:
    text = piece.group()
    if "*" not in text:
        found = [text[t.start : t.end] for t in tokens(text)]
        return [Word(Kind.EXACT, squeeze(word)) if exactly else Word(Kind.STEM, word) for word in found]
    parts = [squeeze(part) for part in re.split(r"\*+", text)]
    if len(tokens(text.partition("*")[0])) > 1:
        raise RuleError(f'"{text}": a script without spaces has no wildcards; leave out the *', piece.start() + 1)
    if sum(letter.isalnum() for letter in parts[0]) < _LETTERS_BEFORE_STAR:
        raise RuleError(f'"{text}": a wildcard needs at least 2 letters before its *', piece.start() + 1)
    return [Word(Kind.WILD, "*".join(parts))]


def _sequences(units: list[list[Word]]) -> tuple[tuple[Word, ...], ...]:
    ways = product(*(_ways(unit) for unit in units))
    joined = (tuple(word for part in way for word in part) for way in ways)
    return tuple(dict.fromkeys(islice(joined, _MAX_SEQUENCES)))


def _ways(unit: list[Word]) -> list[list[Word]]:
    """Return the ways of writing words that belong together: apart, solid, or parted after a prefix."""
    if len(unit) > 1:
        return [unit, [_solid(unit)]]
    word = unit[0]
    prefix = _prefix(squeeze(word.text))
    rest = word.text[len(prefix) :] if prefix else ""
    if prefix and len(rest.partition("*")[0]) >= _SHORTEST_REST:
        first = Kind.EXACT if word.kind is Kind.EXACT else Kind.STEM
        return [unit, [Word(first, prefix), Word(word.kind, rest)]]
    return [unit]


def _solid(unit: list[Word]) -> Word:
    kinds = {word.kind for word in unit}
    if Kind.WILD in kinds:
        return Word(Kind.WILD, "".join(squeeze(w.text) if w.kind is Kind.STEM else w.text for w in unit))
    text = "".join(word.text for word in unit)
    return Word(Kind.EXACT if Kind.EXACT in kinds else Kind.STEM, text)
