"""Sentences, found without a model and with offsets into the original."""

from __future__ import annotations

import re

# The look-behind and the possessive runs keep the search linear: "....." is looked at once.
# A sentence may end where one of these marks, with closing quotes or brackets, is followed by white space and
# something that can begin a sentence; or at a line break; or at a full stop of a script that uses no spaces.
_END = re.compile(
    r"""(?<![.!?…؟۔।])(?:[.!?…؟۔।]++["'”’»)\]]*+(?=\s+["'“‘«(\[]*[^\W_a-z])|[。！？]["”’」』)]*+)\s*|\n\s*"""
)
# After these a full stop ends no sentence. Single capitals (initials, "U.S.") are handled by the second rule.
_ABBREVIATION = re.compile(
    r"""(?:^|[\s(“"'‘])(?:Mr|Mrs|Ms|Dr|Prof|Gen|Lt|Col|Maj|Capt|Sgt|Adm|Gov|Sen|Rep|Rev|Hon|St|Jr|Sr|Inc|Ltd|Co|Corp
    |vs|etc|approx|No|Nos|Art|Fig|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|e\.g|i\.e|a\.m|p\.m|cf)\.$"""
    r"""|(?:^|[\s.(“"'‘])[A-Z]\.$""",
    re.VERBOSE,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences of ``text``, in order, without white space around them.

    A line break always ends a sentence. Time is linear in the length of the text.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for mark in _END.finditer(text):
        stop = mark.end()
        before = text[max(start, mark.start() - 12) : mark.start() + 1]
        if "\n" not in mark.group() and _ABBREVIATION.search(before):
            continue
        _add(spans, text, start, stop)
        start = stop
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, stop: int) -> None:
    piece = text[start:stop]
    begin = start + len(piece) - len(piece.lstrip())
    end = start + len(piece.rstrip())
    if begin < end:
        spans.append((begin, end))
