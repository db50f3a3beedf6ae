"""What is not as it should be although nothing has failed: silences, and texts that have collapsed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from worker.feeds import quiet as feed_quiet
from worker.ledger import canary, feeds, lengths, snapshots, tallies
from worker.ledger.engine import Transaction
from worker.model import CANARY, Alarm, Feed
from worker.topics import quiet as topic_quiet

#: What the service may take to begin, besides the canaries that are allowed to be missing.
_PATIENCE: Final = timedelta(minutes=2)


def find(
    t: Transaction,
    *,
    configured: Mapping[str, Feed],
    topics: Collection[str],
    now: datetime,
    canary_every: timedelta | None = None,
) -> list[Alarm]:
    """Return the alarms there are ``now``, those of one kind together, longest first.

    ``canary_every`` is how often a canary is sent, where any are.
    """
    late = _late_canary(t, canary_every, now) if canary_every is not None else []
    return [*late, *_quiet_feeds(t, configured), *_collapsed(t), *_quiet_topics(t, topics, now)]


def _late_canary(t: Transaction, every: timedelta, now: datetime) -> list[Alarm]:
    newest = snapshots.latest(t)
    since = canary.arrived_at(t) or (newest.taken_at if newest else now)
    if now - since <= 3 * every + _PATIENCE:
        return []
    detail = (
        f"no canary has come through since {_said(since)}: something between the feeds and the channels stands still"
    )
    return [Alarm(kind="canary-late", subject=CANARY, detail=detail, since=since)]


def _quiet_feeds(t: Transaction, configured: Mapping[str, Feed]) -> list[Alarm]:
    found = []
    for state in feeds.states(t).values():
        feed = configured.get(state.feed_id)
        if feed is None or not feed.enabled or state.state != "ok":
            continue
        since = feed_quiet.quiet_since(state)
        if since is not None:
            detail = f"feed {state.feed_id} answers, and has shown nothing new since {_said(since)}, against its rhythm"
            found.append(Alarm(kind="feed-quiet", subject=state.feed_id, detail=detail, since=since))
    return sorted(found, key=lambda alarm: alarm.since)


def _collapsed(t: Transaction) -> list[Alarm]:
    return [
        Alarm(
            kind="text-collapsed",
            subject=one.host,
            detail=f"pages of {one.host} give {one.recent} characters where {one.usual} are usual: a consent wall?",
            since=one.since,
        )
        for one in lengths.collapsed(t)
    ]


def _quiet_topics(t: Transaction, topics: Collection[str], now: datetime) -> list[Alarm]:
    today = now.astimezone(UTC).date()
    matched: dict[str, set[date]] = {}
    for labels, counts in tallies.days(t, tallies.MATCHES, since=today - timedelta(days=topic_quiet.PAST)).items():
        matched.setdefault(labels[0], set()).update(counts)
    found = []
    for topic in topics:
        last = topic_quiet.quiet_since(matched.get(topic, set()), today=today)
        if last is not None:
            since = datetime.combine(last, time(), UTC) + timedelta(days=1)
            detail = f"topic {topic} has matched nothing since {last:%Y-%m-%d}, which is odd for it"
            found.append(Alarm(kind="topic-quiet", subject=topic, detail=detail, since=since))
    return sorted(found, key=lambda alarm: alarm.since)


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
