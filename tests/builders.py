"""Builders of values with defaults: a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from worker.alerts.quotes import quotes
from worker.model import Alert, Article, Entry, Evidence, Feed, FeedState, Match, Message, Reason, Role, Topic

NOON = datetime(2026, 2, 11, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return a time some minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def feed(**changes: Any) -> Feed:
    """Return a feed."""
    base: dict[str, Any] = {"id": "wire", "url": "https://wire.example/feed.xml", "outlet": "Wire"}
    return Feed(**base | changes)


def feed_state(**changes: Any) -> FeedState:
    """Return the state of that feed."""
    return FeedState(**{"feed_id": "wire"} | changes)


def entry(number: int = 1, **changes: Any) -> Entry:
    """Return an entry of that feed."""
    base: dict[str, Any] = {
        "feed_id": "wire",
        "key": f"https://wire.example/{number}",
        "url": f"https://wire.example/{number}",
        "title": f"Headline {number}",
        "outlet": "Wire",
        "published_at": NOON,
    }
    return Entry(**base | changes)


def article(number: int = 1, **changes: Any) -> Article:
    """Return an article."""
    base: dict[str, Any] = {
        "id": f"a-{number}",
        "url": f"https://wire.example/{number}",
        "title": f"Headline {number}",
        "text": "Something was said about missiles on Monday.",
        "outlet": "Wire",
        "published_at": NOON,
    }
    return Article(**base | changes)


def topic(**changes: Any) -> Topic:
    """Return a topic."""
    base: dict[str, Any] = {"id": "missiles", "topic": "missiles", "any": ("missile",)}
    return Topic(**base | changes)


def match(number: int = 1, **changes: Any) -> Match:
    """Return a match of that article and topic."""
    base: dict[str, Any] = {
        "article_id": f"a-{number}",
        "topic_id": "missiles",
        "topic_version": "v1",
        "reason": Reason.MATCHED,
        "score": 0.9,
        "by": "rule",
        "evidence": (Evidence(field="text", start=25, end=33, text="missiles"),),
        "clause": "any: missile",
    }
    return Match(**base | changes)


def alert(number: int = 1, **changes: Any) -> Alert:
    """Return an alert about that article."""
    base: dict[str, Any] = {
        "key": f"key-{number:04}",
        "topic_id": "missiles",
        "story_id": "s-1",
        "channel_id": "screen",
        "role": Role.FIRST,
        "article_id": f"a-{number}",
        "score": 0.9,
        "by": "rule",
        "evidence": (),
        "clause": "any: missile",
        "created_at": NOON,
        "due_at": NOON,
    }
    return Alert(**base | changes)


def message(number: int = 1, **changes: Any) -> Message:
    """Return a message about an alert and its article, as it is at noon."""
    told, about = changes.get("alert", alert(number)), changes.get("article", article(number))
    base: dict[str, Any] = {
        "alert": told,
        "article": about,
        "topic": "missiles",
        "quotes": quotes(about, told.evidence),
        "at": NOON,
        "articles": 2,
        "outlets": 2,
        "origins": 1,
    }
    return Message(**base | changes)
