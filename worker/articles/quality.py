"""Whether an extracted text is an article, or what else it is.

A page that refuses to show its article still has words: "Checking your browser", "We value your privacy". They
come with status 200 and must not pass for news. Short texts are judged by what they say and long ones only by
their shape, because a long text about cookies is an article about cookies.
"""

from __future__ import annotations

import re

from worker.articles.refusals import CONSENT_WALL, JAVASCRIPT_ONLY, PAYWALL, PAYWALL_TEASER, REFUSALS
from worker.text import sentences, terms

LINK_LIST = "link-list"
EMPTY = "empty"

#: Characters; above it a text is long enough to be judged by its shape alone.
SHORT_TEXT = 1500
#: Words; a text with fewer says nothing that a topic could match and a reader could check.
FEWEST_WORDS = 4
#: Words; a heading with more is the headline of a report about the thing, not the thing.
_LONGEST_HEADING = 6
#: Lines; fewer of them may be a list inside a short article.
_FEWEST_LINKS = 8
#: Characters; longer lines are prose also in scripts that mark no end of a sentence.
_LONGEST_HEADLINE = 120
#: Sentences in which a demand to subscribe may stand, counted from the end.
_PAYWALL_TAIL = 4

#: What the extractor puts between the cells of a table.
_CELL_MARK = " | "

_SENTENCE_END = re.compile(r"[.!?…।\u3002\uff01\uff1f\u061f\u06d4][\"'”\u2019»)\]]*$")


def judge(text: str, *, title: str = "", scripted: bool = False) -> str | None:
    """Return what ``text`` is when it is not an article, and ``None`` when it may be one.

    ``scripted`` says that the page carries scripts: a page without words then waits for JavaScript. The answers are
    ``empty``, ``link-list`` and the names in ``worker.articles.refusals``. Time is linear in the text.
    """
    words = len(terms(text[:SHORT_TEXT]))
    if len(text) > SHORT_TEXT:
        return EMPTY if not words else _shape(text)
    if (refusal := _refusal(text, title)) is not None:
        return refusal
    if words < FEWEST_WORDS:
        return JAVASCRIPT_ONLY if scripted and not words else EMPTY
    return _paywall(text) or _shape(text)


def _refusal(text: str, title: str) -> str | None:
    said = [text[start:end] for start, end in sentences(text)]
    heading = title if len(terms(title)) <= _LONGEST_HEADING else ""
    for name, phrases in REFUSALS:
        hits = [sentence for sentence in said if phrases.search(sentence)]
        if name == CONSENT_WALL and len(set(map(str.lower, phrases.findall(text)))) < 2:  # noqa: PLR2004 - see below
            # One such phrase also stands in news ("a legitimate interest"); a wall has several.
            continue
        if phrases.search(heading) and (hits or len(said) <= 2):  # noqa: PLR2004 - a heading and a line or two
            return name
        if hits and len(hits) * 2 >= len(said):
            return name
    return None


def _paywall(text: str) -> str | None:
    # The demand stands below the teaser; in a report about a newspaper's prices it stands anywhere else.
    tail = sentences(text)[-_PAYWALL_TAIL:]
    return PAYWALL_TEASER if any(PAYWALL.search(text[start:end]) for start, end in tail) else None


def _shape(text: str) -> str | None:
    # Headlines in a row: many lines, hardly any of them a sentence. Rows of a table are neither.
    lines = [line for raw in text.splitlines() if (line := raw.strip()) and _CELL_MARK not in line]
    if len(lines) < _FEWEST_LINKS:
        return None
    prose = sum(len(line) for line in lines if len(line) > _LONGEST_HEADLINE or _SENTENCE_END.search(line))
    return LINK_LIST if prose * 5 < sum(map(len, lines)) else None
