"""A ledger with a past: any number of feeds and articles, and what years of them leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, insert, update

from tests.builders import NOON
from worker.channels.config import ChannelConfig
from worker.ledger import feeds, progress, snapshots, tallies
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.tables import DEAD, DONE, OFF, OPEN, alert, article, dead, delivery, entry, feed, match
from worker.model import CANARY, Alarm, Feed, Reason, Role, Topic
from worker.settings import Heartbeat, Service, Settings

CHANNELS = ("desk", "siem", "screen")
HOSTS = 140
ALARMS = (Alarm(kind="feed-quiet", subject="feed-0002", detail="", since=NOON),)
_AT_ONCE = 2000


def settings(*, feeds: int = 3, topics: int = 2) -> Settings:
    """Return a configuration with so many feeds and topics, and the channels of ``CHANNELS``."""
    return Settings(
        feeds=tuple(
            Feed(id=f"feed-{n:04}", url=f"https://host-{n % HOSTS}.example/{n}.xml", outlet=f"Outlet {n}")
            for n in range(feeds)
        ),
        topics=tuple(Topic(id=f"topic-{n:02}", any=(f"word{n}",)) for n in range(topics)),
        channels={name: ChannelConfig(id=name, type="terminal") for name in CHANNELS},
    )


def fill(ledger: Ledger, made: Settings, *, articles: int = 0) -> None:
    """Write what the feeds and topics of ``made`` have brought: ``articles`` of them, a tenth of which was told of."""
    with ledger.write() as t:
        feeds.sync(t, made.feeds, now=NOON)
        snapshots.keep(t, topics=made.topics, files={"feeds.yaml": ""}, now=NOON)
        for part in ("tick", "poll", "read", "deliver", "sweep"):
            progress.note(t, part, now=NOON)
        _count(t, made)
    for first in range(0, articles, _AT_ONCE):
        with ledger.write() as t:
            _articles(t, made, range(first, min(first + _AT_ONCE, articles)))


def everything(ledger: Ledger) -> Settings:
    """Fill a ledger so that each metric has a series (alarms are found elsewhere), and return its configuration."""
    made = replace(settings(feeds=8), service=Service(heartbeat=Heartbeat(url="https://heart.example/x")))
    fill(ledger, made, articles=2000)
    with ledger.write() as t:
        c = feed.c
        t.execute(update(feed).values(state="ok", last_success_at=NOON))
        t.execute(update(feed).where(c.id == "feed-0003").values(state="gone", failures=1.0, work=OFF))
        t.execute(update(feed).where(c.id == "feed-0004").values(state="failing", failures=2.0))
        t.execute(insert(alert).values(_alert(1, made) | {"channel_id": CANARY}))
        work(t, made)
    return made


def work(t: Transaction, made: Settings) -> None:
    """Count what a service does in a second: a bit of everything that is good, and of everything that is not."""
    _count(t, made)
    for outcome in ("page", "feed-text", "no-text", "retry", "dead", "duplicate"):
        tallies.count(t, tallies.READS, outcome, now=NOON)
    for outcome in ("delivered", "retry", "unknown", "dead"):
        tallies.count(t, tallies.DELIVERIES, "desk", outcome, now=NOON)
    for kind in ("entry", "alert"):
        tallies.count(t, tallies.DEAD_LETTERS, kind, now=NOON)
        tallies.count(t, tallies.REVIVED, kind, now=NOON)
    tallies.count(t, tallies.FETCHES, "page", "host-1.example", "consent-wall", now=NOON)


def _articles(t: Transaction, made: Settings, numbers: Sequence[int]) -> None:
    told = [n for n in numbers if n % 10 == 0]
    _add(t, entry, [_entry(n, made) for n in numbers])
    _add(t, article, [_article(n) for n in numbers])
    _add(t, match, [_match(n, made) for n in numbers if n % 5 == 0])
    _add(t, alert, [_alert(n, made) for n in told])
    _add(t, delivery, [_delivery(n) for n in told])
    _add(t, dead, [_dead(n) for n in told if n % 100 == 0])


def _add(t: Transaction, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        t.execute(insert(table), rows)


def _entry(n: int, made: Settings) -> dict[str, Any]:
    at = NOON + timedelta(seconds=n)
    return {
        "feed_id": made.feeds[n % len(made.feeds)].id,
        "key": f"k{n}",
        "url": f"https://host-{n % HOSTS}.example/{n}",
        "page": f"host-{n % HOSTS}.example/{n}",
        "title": f"Headline {n}",
        "text": "What the feed says of it. " * 4,
        "outlet": "Wire",
        "first_seen_at": at,
        "seen_at": at,
        "work": OPEN if n % 1000 == 1 else DONE,
        "reason": Reason.PAGE,
        "article_id": f"a-{n}",
        "due_at": at,
    }


def _article(n: int) -> dict[str, Any]:
    at = NOON + timedelta(seconds=n)
    return {
        "id": f"a-{n}",
        "url": f"https://host-{n % HOSTS}.example/{n}",
        "page": "",
        "title": f"Headline {n}",
        "text": "Something was said about missiles on Monday. " * 20,
        "outlet": "Wire",
        "published_at": at,
        "read_at": at,
        "source": Reason.PAGE,
    }


def _match(n: int, made: Settings) -> dict[str, Any]:
    span = {"field": "text", "start": 25, "end": 33, "text": "missiles"}
    return {
        "article_id": f"a-{n}",
        "topic_id": made.topics[n // 5 % len(made.topics)].id,
        "topic_version": "v1",
        "score": 0.9,
        "by": "rule",
        "clause": "any: missile",
        "evidence": [span, span],
        "matched_at": NOON + timedelta(seconds=n),
    }


def _alert(n: int, made: Settings) -> dict[str, Any]:
    at = NOON + timedelta(seconds=n)
    return {
        "key": f"key-{n:08}",
        "topic_id": made.topics[n // 5 % len(made.topics)].id,
        "story_id": f"s-{n}",
        "channel_id": CHANNELS[n % len(CHANNELS)],
        "role": Role.FIRST,
        "article_id": f"a-{n}",
        "score": 0.9,
        "by": "rule",
        "clause": "any: missile",
        "evidence": [],
        "reason": Reason.QUEUED,
        "created_at": at,
        "work": OPEN if n % 1000 == 0 else DEAD if n % 100 == 0 else DONE,
        "sent_at": at,
        "shown": {"kind": "message", "text": "What was shown of it when it was first sent. " * 30},
        "due_at": at,
    }


def _delivery(n: int) -> dict[str, Any]:
    at = NOON + timedelta(seconds=n)
    return {"alert_key": f"key-{n:08}", "at": at, "attempt": 1, "outcome": Reason.DELIVERED, "detail": ""}


def _dead(n: int) -> dict[str, Any]:
    kind = "alert" if n % 200 == 0 else "entry"
    return {"kind": kind, "ref": n, "reason": "x", "subject": f"{n}", "attempts": 9, "dead_at": NOON}


def _count(t: Transaction, made: Settings) -> None:
    """Count what would have been counted: of every feed, topic, channel and host, by all usual outcomes."""
    for one in made.feeds:
        tallies.count(t, tallies.ENTRIES, one.id, now=NOON, n=100)
    for outcome in ("new-entries", "not-modified", "unchanged", "duplicate", "fetch-failed"):
        tallies.count(t, tallies.POLLS, outcome, now=NOON, n=1000)
    for number in range(HOSTS):
        host = tallies.host(t, f"host-{number}.example")
        for kind, outcome in (("poll", "new-entries"), ("poll", "not-modified"), ("page", "page"), ("page", "robots")):
            tallies.count(t, tallies.FETCHES, kind, host, outcome, now=NOON, n=10)
    for topic in made.topics:
        for by in ("rule", "meaning", "both"):
            tallies.count(t, tallies.MATCHES, topic.id, by, now=NOON)
        for reason in ("first", "report", "copy", "folded", "min-gap", "budget", "silenced"):
            tallies.count(t, tallies.DECISIONS, topic.id, reason, now=NOON)
        for role in ("first", "report", "development"):
            tallies.count(t, tallies.ALERTS, topic.id, role, now=NOON)
    for seconds in (0.5, 3.0, 40.0, 4000.0, 1e6):
        tallies.observe(t, tallies.PUBLISH_TO_ALERT, seconds, now=NOON)
        tallies.observe(t, tallies.DETECT_TO_DELIVERY, seconds / 10, now=NOON)
