"""Titles, compared."""

from __future__ import annotations

import unicodedata

from worker.text.words import words

_INSIDE_WORDS = dict.fromkeys(map(ord, "'’ʼ＇\u00ad\u200b\u200c\u200d\u2060"))


def normal_title(title: str) -> str:
    """Return the form in which titles are compared: without case, punctuation and doubled white space.

    Empty when the title has no letter or digit, so that it can tell nothing. Accents stay: they part words.
    """
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(words(folded)).translate(_INSIDE_WORDS)
