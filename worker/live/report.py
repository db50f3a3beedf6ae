"""The state of the service, read off the ledger: what ``wirewatch status`` shows.

Health is progress that the ledger shows, and not a process that answers: a worker that has lost its broker still
answers when it is pinged, and receives nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from worker.channels.base import timestamp
from worker.ledger import channels as channel_states
from worker.ledger import feeds, overview, progress, snapshots
from worker.ledger.channels import ChannelState
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.progress import Progress
from worker.model import CANARY, Alarm, Feed, FeedState
from worker.settings import Settings
from worker.stages import alarms
from worker.url import shown

#: Work that is due for longer than this, with nothing in hand, says that nobody is working.
_STALLED = timedelta(minutes=5)
#: Each part of the service comes round at least every 20 s; without a sign for longer than this it is missing.
_MISSING = timedelta(seconds=75)
#: The parts that are needed.
_PARTS = ("tick", "poll", "read", "deliver")


def report(
    ledger: Ledger, settings: Settings, *, now: datetime, recorded: bool = False, matches: bool = True
) -> dict[str, Any]:
    """Return the object of ``status --json``; ``why_not`` says what keeps it from being ready.

    Nobody works on a ``recorded`` ledger, that of a replay, any more, so nobody is missed there. Without ``matches``
    those of topics are not counted, which takes longer than all the rest.
    """
    with ledger.read() as t:
        polled = feed_list(t, settings, recorded=recorded)
        queues = overview.queues(t, now=now)
        channels, blocked = overview.channels(t), channel_states.states(t)
        matched = overview.topics(t) if matches else {}
        dead_letters = overview.dead_count(t)
        seen = progress.read(t)
        configuration = snapshots.latest(t)
        found = [] if recorded else find_alarms(t, settings, now=now)
    missing = [] if recorded else why_not(seen, queues, now=now)
    return {
        "ready": not missing,
        "why_not": missing,
        "feeds": polled,
        # Feeds that offer to tell of news by themselves; nobody subscribes to them yet.
        "hubs": sum(feed["hub"] is not None for feed in polled),
        "queues": queues,
        "progress": {name: timestamp(found.at) for name, found in sorted(seen.items())},
        "configuration": {
            "generation": configuration.generation if configuration else 0,
            "taken_at": timestamp(configuration.taken_at) if configuration else None,
        },
        "channels": [
            _channel(name, channels.get(name, {}), blocked.get(name), settings, now=now)
            for name in dict.fromkeys((*settings.channels, *channels, *blocked))
            if name != CANARY
        ],
        "dead": dead_letters,
        # What is odd although nothing has failed: it keeps nobody from being ready.
        "alarms": [alarm.detail for alarm in found],
        "topics": [_topic(topic.id, matched.get(topic.id, {})) for topic in settings.topics if topic.id != CANARY],
    }


def feed_list(t: Transaction, settings: Settings, *, recorded: bool = False) -> list[dict[str, Any]]:
    """Return the ``feeds`` of ``report``."""
    states, urls = feeds.states(t), feeds.addresses(t)
    configured = {feed.id: feed for feed in settings.feeds}
    if recorded:  # the feeds of a replay are its own
        configured |= {name: Feed(id=name, url=url, outlet=name) for name, url in urls.items()}
    return [
        _feed(state, urls[state.feed_id], configured.get(state.feed_id))
        for state in states.values()
        if state.feed_id != CANARY
    ]


def why_not(seen: Mapping[str, Progress], queues: Mapping[str, Mapping[str, Any]], *, now: datetime) -> list[str]:
    """Return what keeps a service from being ready."""
    return [*_missing(seen, now), *_stalled(queues)]


def find_alarms(t: Transaction, settings: Settings, *, now: datetime) -> list[Alarm]:
    """Return what is odd although nothing has failed."""
    return alarms.find(
        t,
        configured={feed.id: feed for feed in settings.feeds},
        topics=[topic.id for topic in settings.topics],
        now=now,
        canary_every=settings.service.heartbeat.every if settings.service.heartbeat.url else None,
    )


def nothing_yet(settings: Settings, reason: str) -> dict[str, Any]:
    """Return the same object for a state directory without a ledger."""
    return {
        "ready": False,
        "why_not": [reason],
        "feeds": [_feed(FeedState(feed_id=feed.id, interval=feed.interval), feed.url, feed) for feed in settings.feeds],
        "hubs": 0,
        "queues": {},
        "progress": {},
        "configuration": {"generation": 0, "taken_at": None},
        "channels": [_channel(name, {}, None, settings, now=None) for name in settings.channels],
        "dead": 0,
        "alarms": [],
        "topics": [_topic(topic.id, {}) for topic in settings.topics],
    }


def _missing(seen: Mapping[str, Progress], now: datetime) -> list[str]:
    """Return which parts of the service have shown no sign for too long."""
    if not any(part in seen for part in _PARTS):
        return ["nothing has worked on this ledger yet; start `wirewatch run`"]
    found = []
    for part in _PARTS:
        name = "scheduler" if part == "tick" else f"worker {part}"
        if part not in seen:
            found.append(f"{name}: no sign of one yet")
        elif now - seen[part].at > _MISSING:
            quiet = (now - seen[part].at).total_seconds()
            found.append(f"{name}: no sign for {quiet:.0f} s; is `wirewatch run` running?")
    return found


def _stalled(queues: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the queues in which work waits while nobody has any in hand."""
    return [
        f"queue {name}: the oldest row has waited {queue['oldest_s']:.0f} s and nothing is in hand"
        for name, queue in queues.items()
        if queue["oldest_s"] > _STALLED.total_seconds() and not queue["leased"]
    ]


def _channel(
    channel_id: str, found: dict[str, Any], state: ChannelState | None, settings: Settings, *, now: datetime | None
) -> dict[str, Any]:
    """Return one channel: what became of its alerts, and whether it is ``ok``, ``waits`` or is ``disabled``."""
    state = state or ChannelState(id=channel_id)
    until = state.waits_until(now) if now else None
    oldest = found.get("oldest_open_at")
    recipient = settings.recipients.get(channel_id)
    return {
        "id": channel_id,
        "state": "disabled" if state.disabled else "waits" if until else "ok",
        "reason": state.reason,
        "since": _time(state.disabled_at),
        "until": _time(until),
        "fallback": recipient.fallback if recipient else "",
        **{name: found.get(name, 0) for name in ("open", "gathered", "delivered", "unknown", "dead", "off")},
        # The age of the alert that is open for longest, whatever it waits for.
        "oldest_s": round((now - oldest).total_seconds(), 3) if now and oldest else 0.0,
        "last_sent_at": _time(found.get("last_sent_at")),
    }


def _feed(state: FeedState, url: str, configured: Feed | None) -> dict[str, Any]:
    """Return one feed; ``url`` is where it is polled, ``moved_from`` its configured address when it has moved."""
    return {
        "id": state.feed_id,
        "url": shown(state.address or url),
        "state": _name(state, configured),
        "outcome": state.outcome.value if state.outcome else None,
        "error": state.error,
        "failures": state.failures,
        "last_success_at": _time(state.last_success_at),
        "next_poll_at": _time(state.next_poll_at),
        "interval_s": state.interval.total_seconds(),
        "polled_at": _time(state.polled_at),
        "moved_from": shown(url) if state.address else None,
        "validators": state.validators or ("sent" if state.etag or state.last_modified else "none"),
        "gaps": state.gaps,
        "hub": state.hints.hub,
    }


def _name(state: FeedState, configured: Feed | None) -> str:
    if configured is None:
        return "removed"
    return state.state if configured.enabled else "off"


def _topic(topic_id: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"id": topic_id, "matches": found.get("matches", 0), "last_match_at": _time(found.get("last_match_at"))}


def _time(at: datetime | None) -> str | None:
    return timestamp(at) if at else None
