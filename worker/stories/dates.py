"""On which day: the days of the year that a text names, in English."""

from __future__ import annotations

import re

# Months are written with a capital, which keeps the verbs "may" and "march" out. They are sought by their first letter,
# which a search is quick to find, and then is looked what stands beside them.
_MONTH = re.compile(
    r"[JFMASOND](?:an(?:uary)?|eb(?:ruary)?|ar(?:ch)?|pr(?:il)?|ay|une?|uly?|ug(?:ust)?|ept?(?:ember)?|ct(?:ober)?"
    r"|ov(?:ember)?|ec(?:ember)?)\b"
)
_BEFORE = re.compile(r"(?<!\w)([0-3]?\d)(?:st|nd|rd|th)?\s(?:of\s)?$")
_AFTER = re.compile(r"\.?\s([0-3]?\d)(?:st|nd|rd|th)?\b(?![:.,]\d|\s?(?:%|per\b|percent|million|billion))")
_MONTHS = frozenset(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
_LETTERS, _LONGEST_BEFORE = 3, 9


def dates(text: str) -> list[str]:
    """Return the days that ``text`` names, in order and as often as it does: "may 12" for "12 May" and "May 12th".

    A year is no day, and a month that is written small is none.
    """
    found = []
    for name in _MONTH.finditer(text):
        month, start = name.group()[:_LETTERS].lower(), name.start()
        beside = _BEFORE.search(text[max(0, start - _LONGEST_BEFORE) : start]) or _AFTER.match(text, name.end())
        if beside and month in _MONTHS and not text[start - 1 : start].isalnum():
            found.append(f"{month} {int(beside[1])}")
    return found
