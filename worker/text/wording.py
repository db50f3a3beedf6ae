"""A wording: the words of one text, quickly, and their offsets, when they are asked for."""

from __future__ import annotations

import re
from functools import cached_property

from worker.text.words import plain, word_pattern, words

_PARTED_WORD = re.compile(r"\S+")
#: A word that came up this often before is not looked for any more, but found in the list of all.
_FEW = 8


class Wording:
    """The words of a text.

    Most texts are matched by what words they have, and few by where these stand; so words are found at once and
    offsets one by one.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = plain(text)
        #: The words, which squeeze and fold to what ``words(text)`` does; not always as written.
        self.words = words(text) if self._plain is None else self._plain.split()
        self._known: dict[int, int] = {}

    def start(self, nth: int) -> int:
        """Return the offset of the ``nth`` word in the text."""
        known = self._known.get(nth)
        if known is None:
            known = self._known[nth] = self._find(nth)
        return known

    def end(self, nth: int) -> int:
        """Return the offset just after the ``nth`` word."""
        return self.start(nth) + len(self.words[nth])

    @cached_property
    def starts(self) -> list[int]:
        """The offsets of all words."""
        if self._plain is None:
            return [found.start() for found in word_pattern(self.text).finditer(self.text)]
        return [found.start() for found in _PARTED_WORD.finditer(self._plain)]

    def _find(self, nth: int) -> int:
        # Evidence is a few words, nearly always the first of their kind: these are found without going through all.
        word, seen, at = self.words[nth], -1, -1
        for _ in range(_FEW if self._spaced else 0):
            seen = self.words.index(word, seen + 1)
            at = self._spaced.find(f" {word} ", at + 1)
            if seen == nth:
                return at
        return self.starts[nth]

    @cached_property
    def _spaced(self) -> str:
        """The plain text with a blank before and after every word, empty if there is no plain text."""
        return "" if self._plain is None else f" {self._plain} ".replace("\n", " ")
