"""How common a word is likely to be, where nobody has counted."""

from __future__ import annotations

from worker.text import fold

_WORDS = """a about after all also an and any are as at be because been before being between both but by can could did
    do does down for from had has have he her him his how i if in into is it its just may me more most my new no not
    now of off on one only or other our out over own said same say says she should so some such than that the their
    them then there these they this those through to too two under up us very was we were what when where which while
    who will with would year you your"""
#: English words that stand in almost every article, folded.
COMMON = frozenset(map(fold, _WORDS.split()))
_ALMOST_ALL = 0.9
_LONGEST_COMMON = 3.0


def frequency_guess(word: str) -> float:
    """Return a guess at the share of articles, 0 to 1, that hold a folded word: short words are common.

    ``*`` stands for any letters, and makes what stands before it count as shorter than it is.
    """
    if word in COMMON:
        return _ALMOST_ALL
    before, star, _ = word.partition("*")
    return min(0.4, (_LONGEST_COMMON / max(len(before) - bool(star), 1)) ** 2 / 10)
