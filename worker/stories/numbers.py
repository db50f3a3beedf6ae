"""How many: the numbers in a text, whether written in digits or in words, and what they count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from worker.text import fold

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
_SMALL = "|".join(word for word in _ONES if word not in {"zero", "one"})
_NUMBER = re.compile(
    rf"""(?<![\w.,:/])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d{{1,15}}(?:\.\d{{1,6}})?)(?![\d:/]|[.,]\d)
    |\b(?P<word>(?:{"|".join(_TENS)})(?:-(?:{"|".join(_ONES)}))?|{_SMALL}|dozen)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_SCALE = re.compile(r"[\s-]?(hundred|thousand|million|billion|trillion|mn|bn|m)\b", re.IGNORECASE)
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


def numbers(text: str, language: str | None = None) -> Iterator[Number]:
    """Yield the numbers of ``text`` in order; words for numbers are known in English. Times and versions are none."""
    for found in _NUMBER.finditer(text):
        value, end = _value(found), found.end()
        while scale := _SCALE.match(text, end):
            value, end = value * _SCALES[scale[1].lower()], scale.end()
        unit = _NEXT.match(text, end)
        yield Number(found.start(), end, value, fold(unit[1], language) if unit else "")


def _value(found: re.Match[str]) -> float:
    if digits := found["digits"]:
        return float(digits.replace(",", ""))
    word = found["word"].lower()
    if word == "dozen":
        return 12.0
    tens, _, ones = word.partition("-")
    return float(_TENS.get(tens, _ONES.get(tens, 0)) + _ONES.get(ones, 0))
