"""Evidence with the words around it."""

from __future__ import annotations

from collections.abc import Iterable

from worker.model import Article, Evidence, Quote

#: Characters shown on either side of the evidence.
_AROUND = 160


def quotes(article: Article, evidence: Iterable[Evidence]) -> tuple[Quote, ...]:
    """Return the evidence of an alert as a reader is shown it: its words, and those before and after in its paragraph.

    Of an article that has changed since, the evidence is shown alone: the words around it may be others now.
    """
    return tuple(_quote(article.title if e.field == "title" else article.text, e) for e in evidence)


def _quote(source: str, e: Evidence) -> Quote:
    if source[e.start : e.end] != e.text:
        return Quote(field=e.field, before="", text=e.text, after="")
    before = source[max(0, e.start - _AROUND) : e.start].rpartition("\n")[2]
    after = source[e.end : e.end + _AROUND].partition("\n")[0]
    # Cut at words, where something was cut.
    if len(before) == _AROUND:
        before = "…" + before.partition(" ")[2]
    if len(after) == _AROUND:
        after = after.rpartition(" ")[0] + "…"
    return Quote(field=e.field, before=before, text=e.text, after=after)
