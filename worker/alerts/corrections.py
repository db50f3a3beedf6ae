"""Corrections: an article that was told of says something else now."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.alerts.timing import Due
from worker.model import Alert, Article, Evidence, Match, Role, alert_key
from worker.text import sentences

_TITLE = re.compile(r'title was "([^"]*)"')
_GONE = re.compile(r'the sentence "([^"]*)" is gone')
#: Characters of a title or a sentence that a correction repeats.
_REPEATED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was said of an article and holds no longer; empty texts where it still does."""

    title: str = ""
    #: The sentence for which it was told.
    sentence: str = ""

    def __bool__(self) -> bool:
        """Whether there is anything to correct."""
        return bool(self.title or self.sentence)

    @property
    def detail(self) -> str:
        """The change in words: ``title was "..."; the sentence "..." is gone``."""
        title = f'title was "{_repeated(self.title)}"' if self.title else ""
        sentence = f'the sentence "{_repeated(self.sentence)}" is gone' if self.sentence else ""
        return "; ".join(part for part in (title, sentence) if part)


def told_in(detail: str) -> Change:
    """Return the change that ``Change.detail`` has put into words, as far as it was repeated."""
    title, sentence = _TITLE.match(detail), _GONE.search(_TITLE.sub("", detail, count=1))
    return Change(title=title[1] if title else "", sentence=sentence[1] if sentence else "")


def changed(before: Article, after: Article, *, evidence: Sequence[Evidence], matches: bool) -> Change:
    """Return what was told of ``before`` with ``evidence`` and does not hold of ``after``.

    Titles are compared without case, spaces and punctuation. The evidence is gone when none of it stands in ``after``,
    or when the article ``matches`` no longer and every sentence that held it has changed: a "not" that was put in
    leaves all words standing.
    """
    title = before.title if before.title and not _same(before.title, after.title) else ""
    gone = evidence and all(_is_gone(before, after, one, matches=matches) for one in evidence)
    return Change(title=title, sentence=_sentence(before, evidence[0]) if gone else "")


def also(waiting: Change, more: Change, after: Article) -> Change:
    """Return the change of a correction that waits, and ``more`` that came since, without what holds of ``after``."""
    title, sentence = waiting.title or more.title, waiting.sentence or more.sentence
    return Change(
        title="" if _same(_repeated(title), _repeated(after.title)) else title,
        sentence="" if sentence and _folded(_cut(sentence)) in _folded(f"{after.title}\n{after.text}") else sentence,
    )


def _is_gone(before: Article, after: Article, one: Evidence, *, matches: bool) -> bool:
    now = _folded(after.title if one.field == "title" else after.text)
    if _folded(one.text) not in now:
        return True
    return not matches and _folded(_sentence(before, one)) not in now


def _sentence(article: Article, one: Evidence) -> str:
    """Return the sentence in which evidence stands; the evidence alone when it is not where it was."""
    source = article.title if one.field == "title" else article.text
    if source[one.start : one.end] != one.text:
        return one.text
    spans = [span for span in sentences(source) if span[0] < one.end and span[1] > one.start]
    return source[spans[0][0] : spans[-1][1]] if spans else one.text


def _folded(text: str) -> str:
    """Return letters and digits only, without case; marks that belong to a letter stay."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c).startswith("M"))


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _repeated(text: str) -> str:
    """Return a text as a correction repeats it: on one line, cut, and without the quotation mark that ends it."""
    return _cut(" ".join(text.split())).replace('"', "'")


def _cut(text: str) -> str:
    return text if len(text) <= _REPEATED else text[: _REPEATED - 1] + "…"


def correction(told: Alert, change: Change, *, article: Article, match: Match | None, due: Due, now: datetime) -> Alert:
    """Return the alert that corrects ``told``, with the evidence of the match as it is now if there still is one.

    Its key is that of the new state, so that the same state is told once.
    """
    evidence = match.evidence if match else ()
    state = "\x1f".join([article.title, *(one.text for one in evidence)])
    digits = hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    new = replace(told, role=Role.CORRECTION, attempt=0, digest=None, repeat=False, created_at=now)
    return with_match(
        replace(
            new,
            key=alert_key(
                topic_id=told.topic_id,
                story_id=told.story_id,
                channel_id=told.channel_id,
                kind=f"correction:{article.id}:{digits}",
            ),
            due_at=due.at,
            reason=due.reason,
            detail=change.detail,
        ),
        match,
    )


def with_match(alert: Alert, match: Match | None) -> Alert:
    """Return an alert with the evidence of a match in place of its own; with none when there is no match."""
    if match is None:
        return replace(alert, score=0.0, by="", evidence=(), clause="")
    return replace(alert, score=match.score, by=match.by, evidence=match.evidence, clause=match.clause)
