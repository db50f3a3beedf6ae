"""What an alert says, in words that every channel uses: as text, without any markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from worker.model import Article, Message, Quote, Role

_VERBS: Final = {
    Role.FIRST: "Alert",
    Role.REPORT: "Report",
    Role.COPY: "Report",
    Role.DEVELOPMENT: "Development",
    Role.CORRECTION: "Correction",
    Role.DIGEST: "Digest",
    Role.NOTICE: "Notice",
}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def verb(role: Role) -> str:
    """Return the word that an alert begins with."""
    return _VERBS[role]


def headline(article: Article) -> str:
    """Return the title of an article on one line; "(no title)" when it has none."""
    return " ".join(article.title.split()) or "(no title)"


def source(article: Article) -> str:
    """Return who published an article, and when: ``Meridian Dispatch, 22 Dec 2025 09:40 UTC``."""
    return f"{article.outlet}, {clock(article.published_at, day=True)}"


def clock(at: datetime, *, day: bool = False) -> str:
    """Return a time of the day in UTC, with its ``day`` if asked for."""
    return at.astimezone(UTC).strftime("%-d %b %Y %H:%M UTC" if day else "%H:%M UTC")


def why(message: Message) -> str:
    """Return why the topic matched: score, what decided, and the clause."""
    alert = message.alert
    by = {"rule": "rule", "meaning": "meaning", "both": "rule and meaning"}.get(alert.by, alert.by)
    said = f"score {alert.score:.2f} by {by}"
    return f"{said}: {alert.clause}" if alert.clause else said


def standing(message: Message) -> str:
    """Return how far the story has gone: ``4 articles, 3 outlets, 2 independent origins, last 14:02 UTC``."""
    parts = [
        counted(message.articles, "article"),
        counted(message.outlets, "outlet"),
        counted(message.origins, "independent origin"),
    ]
    if message.newest_at is not None and message.articles > 1:
        parts.append(f"last {clock(message.newest_at)}")
    return ", ".join(parts)


def delay(message: Message) -> str:
    """Return how long after its publication the article was told: ``told 2 min after publication``."""
    return f"told {span(max(message.at - message.article.published_at, timedelta(0)))} after publication"


def earlier(message: Message) -> str:
    """Return the story before this one in words; empty when there is none."""
    if message.linked is None:
        return ""
    when = f" of {clock(message.linked_at, day=True)}" if message.linked_at else ""
    return f"follows story {message.linked}{when}"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if length >= unit:
            return f"{length // unit} {name}"
    return f"{length.seconds} s"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 outlet``, ``2 outlets``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def quoted(quote: Quote) -> str:
    """Return a quote on one line, its evidence marked with »«."""
    return " ".join(f"{quote.before}»{quote.text}«{quote.after}".split())
