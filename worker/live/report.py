"""The state of the service, read off the ledger: what ``wirewatch status`` shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from worker.channels.base import timestamp
from worker.ledger import feeds, overview
from worker.ledger.engine import Ledger
from worker.model import FeedState
from worker.settings import Settings

#: Work that is due for longer than this says that nobody is working.
_STALLED = timedelta(minutes=5)


def report(ledger: Ledger, settings: Settings, *, now: datetime) -> dict[str, Any]:
    """Return the object of ``status --json``; ``why_not`` says what keeps it from being ready."""
    with ledger.read() as t:
        states = feeds.states(t)
        queues = overview.queues(t, now=now)
        channels = overview.channels(t)
        matched = overview.topics(t)
        dead_letters = overview.dead_count(t)
    urls = {feed.id: feed.url for feed in settings.feeds}
    why_not = [
        f"queue {name}: the oldest row has waited {queue['oldest_s']:.0f} s; is a worker running?"
        for name, queue in queues.items()
        if queue["oldest_s"] > _STALLED.total_seconds()
    ]
    return {
        "ready": not why_not,
        "why_not": why_not,
        "feeds": [_feed(state, urls.get(state.feed_id)) for state in states.values()],
        "queues": queues,
        "channels": {
            name: channel | {"last_sent_at": _time(channel["last_sent_at"])} for name, channel in channels.items()
        },
        "dead": dead_letters,
        "topics": [_topic(topic.id, matched.get(topic.id, {})) for topic in settings.topics],
    }


def _feed(state: FeedState, url: str | None) -> dict[str, Any]:
    return {
        "id": state.feed_id,
        "url": url,
        "state": state.state,
        "outcome": state.outcome.value if state.outcome else None,
        "error": state.error,
        "failures": state.failures,
        "last_success_at": _time(state.last_success_at),
        "next_poll_at": _time(state.next_poll_at),
        "interval_s": state.interval.total_seconds(),
    }


def _topic(topic_id: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"id": topic_id, "matches": found.get("matches", 0), "last_match_at": _time(found.get("last_match_at"))}


def _time(at: datetime | None) -> str | None:
    return timestamp(at) if at else None
