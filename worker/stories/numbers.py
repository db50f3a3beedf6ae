"""How many: the numbers in a text, whether written in digits or in words, and what they count."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from worker.stories.small import small
from worker.text import folder

_ONES = {
    word: value
    for value, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
            *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
        )
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)
}
_SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "mn": 10**6, "bn": 10**9, "m": 10**6,
}  # fmt: skip
_DOZEN = {"dozen": 12}
#: Words that are a number by themselves; "one" and "zero" are mostly something else.
_SMALL = [word for word in (*_ONES, *_DOZEN) if word not in {"zero", "one"}]
# Both patterns find where a number may begin as fast as can be: by a set of characters, or by the first letters of the
# words for numbers. One pattern of all of them, with what must not stand before it in front, takes four times as long.
_DIGITS = re.compile(
    r"""\d(?<![\w.,:/]\d)
    (?:\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d{0,14}(?:\.\d{1,6})?)(?![\d:/]|[.,]\d)""",
    re.VERBOSE,
)


def _by_first_letters(words: Iterable[str]) -> str:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        found[word[:2]].append(word[2:])
    # That no letter stands before it is seen after its first letters, so that these are what is sought.
    return "|".join(rf"{first}(?<!\w{first})(?:{'|'.join(rest)})" for first, rest in found.items())


# Both are for texts in ``small`` letters.
_WORDS = re.compile(rf"(?:(?:{_by_first_letters(_TENS)})(?:-(?:{'|'.join(_ONES)}))?|{_by_first_letters(_SMALL)})\b")
_SCALE = re.compile(r"[\s-]?(hundred|thousand|million|billion|trillion|mn|bn|m)\b")
_NEXT = re.compile(r"[\s-]*(?:per\s?cent\b|%|(?:other|more|further|of the|of its|of their)\s)?[\s-]*([^\W\d_][\w’']*)")
_YEARS = range(1900, 2100)


class Number(NamedTuple):
    """A number in a text: its value, and the term that follows it, which is often what it counts."""

    start: int
    end: int
    value: float
    unit: str

    @property
    def is_year(self) -> bool:
        """Whether it looks like a year, which says little about an event."""
        return self.value in _YEARS and not self.unit

    @property
    def key(self) -> str:
        """A number as a term."""
        return f"{self.value:.10g}"


def numbers(text: str, language: str | None = None, *, lowered: str | None = None) -> Iterator[Number]:
    """Yield the numbers of ``text`` in order; words for numbers are known in English. Times and versions are none.

    ``lowered`` is ``small(text)``, for those who have it already.
    """
    found = [(digits.start(), digits.end(), _written(digits.group())) for digits in _DIGITS.finditer(text)]
    lowered = small(text) if lowered is None else lowered
    found += [(words.start(), words.end(), _said(words.group())) for words in _WORDS.finditer(lowered)]
    folded = folder(language)
    for start, stop, first in sorted(found):
        value, end = first, stop
        while scale := _SCALE.match(lowered, end):
            value, end = value * _SCALES[scale[1]], scale.end()
        unit = _NEXT.match(text, end)
        yield Number(start, end, value, folded[unit[1]] if unit else "")


def _written(digits: str) -> float:
    return float(digits.replace(",", ""))


def _said(word: str) -> float:
    tens, _, ones = word.partition("-")
    return float(_TENS.get(tens, _ONES.get(tens, _DOZEN.get(tens, 0))) + _ONES.get(ones, 0))
