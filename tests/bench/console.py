"""The console before a large archive: how long each page takes on the server, and how much it sends.

A hundred thousand articles in ten thousand stories, each article matched and each story told, in SQLite: more than a
watch of some dozen topics gathers in the month for which articles are kept.
"""

from __future__ import annotations

import gzip
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert
from starlette.testclient import TestClient

from tests.bench.harness import Row, span
from tests.builders import NOON
from worker.console import app
from worker.console.desk import Desk, Opened
from worker.console.rendering import STATIC
from worker.ledger import tallies
from worker.ledger.engine import Ledger, Transaction, open_file
from worker.ledger.tables import alert, article, decision, delivery, entry, feed, match, member, story
from worker.live.report import feed_list, report
from worker.model import Feed, Topic
from worker.settings import Settings

ARTICLES: Final = 100_000
STORY: Final = 10
FEEDS: Final = 200
TOPICS: Final = 20
_BATCH: Final = 2_000
_WORDS: Final = 450
#: Milliseconds, and bytes of a page with all that belongs to it.
_GOAL_MS, _GOAL_KB = 100, 150


def rows(rounds: int) -> Iterator[Row]:
    """Yield two rows a page, its CPU time and what it sends, and one for the index of words."""
    with (
        tempfile.TemporaryDirectory(prefix="wirewatch-") as folder,
        closing(open_file(Path(folder) / "ledger.sqlite", durable=False)) as ledger,
    ):
        fill(ledger)
        yield from _pages(ledger, Path(folder), rounds)
        yield _written(ledger)


def _pages(ledger: Ledger, state: Path, rounds: int) -> Iterator[Row]:
    files = _kilobytes(path.read_bytes() for path in STATIC.iterdir() if path.suffix in {".css", ".js", ".svg"})
    with TestClient(_app(ledger, state), base_url="http://127.0.0.1", follow_redirects=False) as browser:
        for path in _paths():
            answer, took = browser.get(path), []
            for _ in range(max(rounds, 3)):
                # CPU time, of the asking as well: the machine has other work, which takes the wall's.
                began = time.process_time()
                answer = browser.get(path)
                took.append((time.process_time() - began) * 1000)
                assert answer.status_code == 200, (path, answer.status_code, answer.text)
            sent = int(answer.headers["content-length"]) / 1000 + files
            assert sent < _GOAL_KB, (path, sent)
            yield Row(
                what=f"console {path}, {ARTICLES} articles in {ARTICLES // STORY} stories",
                value=span(took),
                unit="ms",
                goal=_GOAL_MS,
                beside={"kB on the wire with all files": sent},
            )


def _kilobytes(contents: Iterator[bytes]) -> float:
    """Return what files are on the wire."""
    return sum(len(gzip.compress(content, 5)) for content in contents) / 1000


def _app(ledger: Ledger, state: Path) -> Any:  # the application
    feeds = tuple(
        Feed(id=_feed(n), url=f"https://{_feed(n)}.example/feed.xml", outlet=_outlet(n)) for n in range(FEEDS)
    )
    settings = Settings(feeds=feeds, topics=tuple(Topic(id=_topic(n), any=("missile",)) for n in range(TOPICS)))
    desk = Desk(
        open_ledger=lambda: Opened(ledger=ledger),
        in_force=lambda _: None,
        own=lambda: settings,
        report=lambda opened, found, now: report(opened.ledger, found, now=now, matches=False),
        feeds=lambda t, found, replayed: feed_list(t, found, recorded=replayed),
        state=state,
    )
    return app.make(desk.report, host="127.0.0.1", token="", desk=desk, clock=lambda: NOON)


def _paths() -> tuple[str, ...]:
    middle = ARTICLES // 2
    return (
        "/stories",
        f"/stories?topic={_topic(3)}",
        f"/stories?topic={_topic(3)}&outlet={_outlet(7)}&state=told",
        "/stories?state=untold",
        "/stories?state=trouble",
        "/stories?outlet=Nobody",
        f"/stories/{_story(middle)}",
        f"/articles/{_article(middle)}",
        "/search",
        "/search?q=missile",
        "/search?q=missile+programme",
        '/search?q="missile+programme"',
        "/search?q=word17+word4321",
        f"/search?q=missile&outlet={_outlet(7)}",
        "/search?q=missile&outlet=Nobody",
        f"/search?q=missile&topic={_topic(3)}&since=2026-01-20&until=2026-01-21",
        "/search?q=unheard",
        "/feeds",
        "/feeds?only=unhealthy",
        f"/feeds/{_feed(7)}",
        "/health",
        "/topics",
        "/workbench",
        "/deliveries",
        "/deliveries?state=delivered&channel=screen",
        "/dead",
        "/silences",
    )


def fill(ledger: Ledger) -> None:
    """Write the archive, the oldest article first."""
    numbers = iter(range(ARTICLES))
    chance = random.Random(7)  # noqa: S311 - the same archive each time
    with ledger.write() as t:
        t.execute(insert(feed), [_feed_row(n) for n in range(FEEDS)])
    while some := list(islice(numbers, _BATCH)):
        with ledger.write() as t:
            _write(t, some, chance)
    with ledger.write() as t:
        for n in range(FEEDS):
            for ago in range(14):
                tallies.count(t, tallies.ENTRIES, _feed(n), now=ledger.clock() - timedelta(days=ago), n=n % 40 + 1)


def _write(t: Transaction, numbers: list[int], chance: random.Random) -> None:
    t.execute(insert(entry), [_entry_row(n) for n in numbers])
    t.execute(insert(article), [_article_row(n, chance) for n in numbers])
    t.execute(insert(match), [_match_row(n) for n in numbers])
    t.execute(insert(member), [_member_row(n) for n in numbers])
    firsts = [n for n in numbers if n % STORY == 0]
    t.execute(insert(story), [_story_row(n) for n in firsts])
    t.execute(insert(decision), [_decision_row(n) for n in numbers])
    told = [n for n in firsts if n % 7]
    t.execute(insert(alert), [_alert_row(n) for n in told])
    t.execute(insert(delivery), [_delivery_row(n) for n in told])


def _at(n: int) -> datetime:
    """Return when an article was published: evenly over the last month."""
    return NOON - timedelta(days=30) * (1 - n / ARTICLES)


def _article(n: int) -> str:
    return f"a-{n:016x}"


def _story(n: int) -> str:
    return f"s-{n // STORY:012x}"


def _feed(n: int) -> str:
    return f"feed-{n % FEEDS}"


def _outlet(n: int) -> str:
    return f"Outlet {n % FEEDS}"


def _topic(n: int) -> str:
    return f"topic-{n // STORY % TOPICS}"


def _text(n: int, chance: random.Random) -> str:
    # Few words are frequent and many are rare, as in any language.
    words = [f"word{int(chance.paretovariate(0.9)) % 50_000}" for _ in range(_WORDS)]
    words[20:20] = ["The", "missile", "programme", "is", "non-negotiable."] if n % 2 else ["A", "budget."]
    return "\n".join(" ".join(words[start : start + 60]) for start in range(0, len(words), 60))


def _feed_row(n: int) -> dict[str, Any]:
    return {
        "id": _feed(n),
        "url": f"https://{_feed(n)}.example/feed.xml",
        "host": f"{_feed(n)}.example",
        "work": "open",
        "state": "failing" if n % 50 == 0 else "ok",
        "outcome": "http-error" if n % 50 == 0 else "not-modified",
        "error": "HTTP 503" if n % 50 == 0 else None,
        "failures": 3.0 if n % 50 == 0 else 0.0,
        "polled_at": NOON,
        "last_success_at": NOON,
        "interval": timedelta(minutes=10),
        "hints": {},
        "rhythm": {},
        "due_at": NOON + timedelta(minutes=5),
    }


def _entry_row(n: int) -> dict[str, Any]:
    url = f"https://{_feed(n)}.example/{n}"
    return {
        "feed_id": _feed(n),
        "key": url,
        "url": url,
        "page": url,
        "title": f"Headline {n} about the missile programme",
        "text": "A summary of some words. " * 10,
        "outlet": _outlet(n),
        "published_at": _at(n),
        "first_seen_at": _at(n),
        "seen_at": _at(n),
        "work": "done",
        "reason": "page",
        "detail": "",
        "article_id": _article(n),
        "due_at": _at(n),
    }


def _article_row(n: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": _article(n),
        "url": f"https://{_feed(n)}.example/{n}",
        "page": f"https://{_feed(n)}.example/{n}",
        "title": f"Headline {n} about the missile programme",
        "text": _text(n, chance),
        "outlet": _outlet(n),
        "language": "en",
        "published_at": _at(n),
        "read_at": _at(n),
        "source": "page",
    }


def _match_row(n: int) -> dict[str, Any]:
    return {
        "article_id": _article(n),
        "topic_id": _topic(n),
        "topic_version": "v1",
        "score": 0.9,
        "by": "rule",
        "clause": "any: missile",
        "evidence": [{"field": "title", "start": 17, "end": 24, "text": "missile"}],
        "matched_at": _at(n),
    }


def _member_row(n: int) -> dict[str, Any]:
    return {
        "article_id": _article(n),
        "story_id": _story(n),
        "role": "report" if n % STORY else "first",
        "outlet": _outlet(n),
        "origin": _outlet(n),
        "published_at": _at(n),
        "joined_at": _at(n),
        "why": "",
        "features": {"terms": {f"term{i}": 1.5 for i in range(60)}},
        "shingles": bytes(800),
        "seq": n,
    }


def _story_row(n: int) -> dict[str, Any]:
    return {"id": _story(n), "first_at": _at(n), "newest_at": _at(n + STORY - 1)}


def _decision_row(n: int) -> dict[str, Any]:
    told = n % STORY == 0 and n % 7
    return {
        "article_id": _article(n),
        "topic_id": _topic(n),
        "channel_id": "screen",
        "at": _at(n),
        "reason": "queued" if told else "folded",
        "detail": "",
        "alert_key": f"key-{n}" if told else None,
    }


def _alert_row(n: int) -> dict[str, Any]:
    shown: Mapping[str, Any] = {"kind": "message", "through": "screen", "quotes": ["words " * 100]}
    return {
        "key": f"key-{n}",
        "topic_id": _topic(n),
        "story_id": _story(n),
        "channel_id": "screen",
        "role": "first",
        "article_id": _article(n),
        "score": 0.9,
        "by": "rule",
        "clause": "any: missile",
        "evidence": [],
        "reason": "queued",
        "created_at": _at(n),
        "work": "done",
        "sent_at": _at(n),
        "shown": shown,
        "due_at": _at(n),
    }


def _delivery_row(n: int) -> dict[str, Any]:
    return {"alert_key": f"key-{n}", "at": _at(n), "attempt": 1, "outcome": "delivered", "detail": ""}


def _written(ledger: Ledger) -> Row:
    """Return what the index of words adds to the writing of an article, here at the end of the archive."""
    chance = random.Random(8)  # noqa: S311 - as above
    batch, took = 500, {}
    for name, first in (("with", ARTICLES), ("without", ARTICLES + batch)):
        found = [_article_row(n, chance) for n in range(first, first + batch)]
        if name == "without":
            with ledger.write() as t:
                t.exec_driver_sql("DROP TRIGGER archive_adds")
        began = time.process_time()
        # One a transaction, as the service reads them: much of the work is done at the commit.
        for row in found:
            with ledger.write() as t:
                t.execute(insert(article), row)
        took[name] = (time.process_time() - began) / batch * 1000
    added = took["with"] - took["without"]
    return Row(
        what="the index of words, added to the writing of an article",
        value=span([added]),
        unit="ms",
        beside={"without, ms": took["without"]},
    )
