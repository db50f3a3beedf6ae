"""Sentences, found without a model and with offsets into the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

# A sentence may end where one of these marks, with closing quotes or brackets, is followed by white space and
# something that can begin a sentence; or at a line break; or at a full stop of a script that uses no spaces. The
# pattern begins with a set of characters because the search for one is fast; what it is comes after. The possessive
# runs and the look-behind for a mark before the mark keep the search linear: "....." is looked at once.
_MARK = "[.!?…؟۔।]"
_END = re.compile(
    rf"""[.!?…؟۔।。！？\n]
    (?: (?<=\n)
      | (?<!{_MARK}.) (?: (?<={_MARK}) {_MARK}*+ ["'”’»)\]]*+ (?=\s+["'“‘«(\[]*[^\W_a-z])
                        | (?<=[。！？]) ["”’」』)]*+ )
    ) \s*""",
    re.VERBOSE,
)
# After these a full stop ends no sentence. Single capitals (initials, "U.S.") are handled by the second rule.
_ABBREVIATION = re.compile(
    r"""(?:^|[\s(“"'‘])(?:Mr|Mrs|Ms|Dr|Prof|Gen|Lt|Col|Maj|Capt|Sgt|Adm|Gov|Sen|Rep|Rev|Hon|St|Jr|Sr|Inc|Ltd|Co|Corp
    |vs|etc|approx|No|Nos|Art|Fig|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|cf)\.$"""
    r"""|(?:^|[\s.(“"'‘])[A-Z]\.$""",
    re.VERBOSE,
)
#: One letter more than the longest abbreviation has.
_LONGER = len("approx") + 1


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences of ``text``, in order, without white space around them.

    A line break always ends a sentence. Time is linear in the length of the text.
    """
    return list(_spans(text))


def first_sentences(text: str, count: int) -> list[tuple[int, int]]:
    """Return the first ``count`` of ``sentences(text)``, or all when there are fewer, without reading the rest."""
    return list(islice(_spans(text), count))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _END.finditer(text):
        stop = mark.end()
        if "\n" not in mark.group() and _is_abbreviation(text[max(start, mark.start() - 12) : mark.start() + 1]):
            continue
        if span := _trimmed(text, start, stop):
            yield span
        start = stop
    if span := _trimmed(text, start, len(text)):
        yield span


def _is_abbreviation(before: str) -> bool:
    """Return whether ``before``, which ends with a mark, ends with an abbreviation."""
    # Half of all sentences end with a longer word, and to see that takes a tenth of the search.
    word = before[-1 - _LONGER : -1]
    return not (len(word) == _LONGER and word.isalpha()) and _ABBREVIATION.search(before) is not None


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int] | None:
    piece = text[start:stop]
    begin = start + len(piece) - len(piece.lstrip())
    end = start + len(piece.rstrip())
    return (begin, end) if begin < end else None
