"""Ten thousand feeds at an interval of 15 minutes: how late they are polled, and what that costs.

Real processes (supervisor, scheduler, the worker for feeds with its readers, and Valkey) poll publishers on a thousand
loopback addresses that answer after 0.3 s: of ten feeds seven answer 304, two the same document as ever, and one has
three new entries of thirty. The clock and the rate are the real ones: the feeds' due times are spread over 15 minutes,
as they are when a service has run for a while, and a part of those minutes is watched. Lag is the time from when a feed
was due to when its answer was recorded, the 0.3 s included.

Then all are made due at once, as after a long stop.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import bindparam, select

from tests.bench.harness import Processes, Row, span
from tests.bench.processes import running, until
from tests.bench.publisher import FRESH, HOSTS, LATENCY, document, serving
from tests.rows import new
from worker.build import SERVICE_LEDGER
from worker.feeds import rhythm
from worker.feeds.document import body_hash, parse
from worker.ledger import entries, feeds
from worker.ledger.engine import Ledger, open_file
from worker.ledger.leases import Claim
from worker.ledger.tables import feed as feed_table
from worker.live.place import Place
from worker.model import Feed, FeedState, Reason
from worker.settings import Service, Settings
from worker.web.network import Network

_FEEDS = 10_000
_INTERVAL = timedelta(minutes=15)
#: Seconds that the service polls before it is watched, and seconds that a round watches.
_SETTLE, _WATCH = 8.0, 6.0
_NEWS = "news.xml"
_KINDS = ("feed.xml",) * 7 + ("same.xml",) * 2 + (_NEWS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What was seen in a part of the minutes: the lags of the feeds that were due, in seconds, and the CPU used."""

    lags: Sequence[float]
    cpu: float


def rows(rounds: int) -> Iterable[Row]:
    """Yield the lag of a steady service and what it costs, and how fast a backlog of all feeds is worked off."""
    with ExitStack() as stack:
        port = stack.enter_context(serving())
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ww-")))
        ledger = stack.enter_context(closing(open_file(state / SERVICE_LEDGER)))
        settings = _settings(port)
        _fill(ledger, settings.feeds)
        _polled_before(ledger, settings.feeds)
        process = stack.enter_context(running(_serve, state, settings))
        processes = Processes(process.pid or 0)
        until(lambda: bool(_polled(ledger)), "the first poll of a service that has started")
        begin = ledger.clock() + timedelta(seconds=_SETTLE)
        due = _spread(ledger, settings.feeds, begin)
        until(lambda: ledger.clock() >= begin, "the beginning")
        windows = [_watched(ledger, processes, due, begin, number) for number in range(rounds)]
        yield from _steady(windows)
        yield _restarted(ledger, processes)


def _steady(windows: Sequence[_Window]) -> Iterable[Row]:
    what = f"{_FEEDS:,} feeds at 15 minutes on this machine"
    lags = [lag for window in windows for lag in window.lags]
    yield Row(
        what=f"{what}: p95 of the lag from due to polled, {LATENCY} s of it the publisher's",
        value=span(float(np.percentile(window.lags, 95)) for window in windows),
        unit="s late",
        goal=30,
        beside={
            "median, s": float(np.median(lags)),
            "greatest, s": max(lags),
            "polls a second": len(lags) / (_WATCH * len(windows)),
        },
    )
    yield Row(
        what=f"{what}: CPU of all processes a poll",
        value=span(window.cpu * 1000 / len(window.lags) for window in windows),
        unit="ms",
    )
    yield Row(what=f"{what}: share of one core", value=span(window.cpu * 100 / _WATCH for window in windows), unit="%")


def _watched(
    ledger: Ledger, processes: Processes, due: Mapping[str, datetime], begin: datetime, number: int
) -> _Window:
    """Return what is seen of the feeds that are due in one part of the time after ``begin``."""
    start, end = (begin + timedelta(seconds=_WATCH * place) for place in (number, number + 1))
    expected = {feed_id for feed_id, at in due.items() if start <= at < end}
    until(lambda: ledger.clock() >= start, "the round")
    used = processes.seconds()
    until(lambda: ledger.clock() >= end, "the end of the round")
    used = processes.seconds() - used
    polled: dict[str, datetime] = {}

    def seen() -> bool:
        polled.update({feed_id: at for feed_id, at in _polled(ledger).items() if feed_id in expected})
        return len(polled) == len(expected)

    # Each must have been polled, however late.
    until(seen, "polls that were due", look=0.2)
    return _Window(lags=[(at - due[feed_id]).total_seconds() for feed_id, at in polled.items()], cpu=used)


def _polled(ledger: Ledger) -> dict[str, datetime]:
    """Return when each feed was polled that this service has polled."""
    columns = feed_table.c
    with ledger.read() as t:
        rows = t.execute(select(columns.id, columns.polled_at).where(columns.outcome.is_not(None)))
        return {row.id: row.polled_at for row in rows}


def _restarted(ledger: Ledger, processes: Processes) -> Row:
    """Return how fast all feeds are polled when all of them are due."""
    with ledger.write() as t:
        now = ledger.clock()
        t.execute(feed_table.update().values(due_at=now, outcome=None))
    used, began = processes.seconds(), time.monotonic()
    until(lambda: len(_polled(ledger)) == _FEEDS, "polls of all feeds", look=0.5)
    wall, used = time.monotonic() - began, processes.seconds() - used
    with ledger.read() as t:
        outcomes = [row.outcome for row in t.execute(select(feed_table.c.outcome))]
    kinds = {Reason.NOT_MODIFIED: 0.7, Reason.UNCHANGED: 0.2, Reason.NEW_ENTRIES: 0.1}
    assert all(outcomes.count(kind) == round(_FEEDS * share) for kind, share in kinds.items()), set(outcomes)
    return Row(
        what=f"{_FEEDS:,} feeds due at once, ten of each host a second apart, by the wall's clock",
        value=span([_FEEDS / wall]),
        unit="polls/s",
        beside={"until the last, s": wall, "CPU of all processes a poll, ms": used * 1000 / _FEEDS},
    )


def _settings(port: int) -> Settings:
    found = tuple(
        Feed(
            id=f"f{n}",
            url=f"http://{HOSTS[n % len(HOSTS)]}:{port}/late/{_kind(n)}?{n}",
            outlet=f"Outlet {n}",
            interval=_INTERVAL,
        )
        for n in range(_FEEDS)
    )
    network = Network(allow_private=("127.77.0.0/16",), allow_ports=(port,))
    return Settings(feeds=found, service=Service(network=network))


def _kind(number: int) -> str:
    """Return what a feed answers: each host has all kinds."""
    return _KINDS[(number // len(HOSTS) + number) % len(_KINDS)]


def _fill(ledger: Ledger, configured: Sequence[Feed]) -> None:
    """Put the feeds into the ledger, with the entries that some of them have shown."""
    shown = parse(document(-1), feed=configured[0], headers={}).entries
    now = ledger.clock()
    with ledger.write() as t:
        feeds.sync(t, configured, now=now)
        for feed in configured:
            if _NEWS in feed.url:
                entries.add(t, new(*(replace(entry, feed_id=feed.id) for entry in shown)), now=now)


def _polled_before(ledger: Ledger, configured: Sequence[Feed]) -> None:
    """Leave the feeds in the ledger as after some days of good polls; only the first of them is due."""
    now = ledger.clock()
    learned = _rhythm(now)
    with ledger.write() as t:
        claims = feeds.claim(t, now=now, limit=len(configured))
        feeds.record(t, [_known(one, now + timedelta(days=1), learned, now=now) for one in claims])
        # What has an outcome from here on was polled by the service.
        t.execute(feed_table.update().values(outcome=None))
        t.execute(feed_table.update().where(feed_table.c.id == configured[0].id).values(due_at=now))


def _spread(ledger: Ledger, configured: Sequence[Feed], begin: datetime) -> Mapping[str, datetime]:
    """Have the feeds fall due one after another, from now on for 15 minutes, and return when."""
    chance = random.Random(1)  # noqa: S311 - the same order in every run
    places = list(range(len(configured)))
    chance.shuffle(places)
    step = _INTERVAL / len(configured)
    start = begin - timedelta(seconds=_SETTLE)
    due = {feed.id: start + place * step for feed, place in zip(configured, places, strict=True)}
    statement = feed_table.update().where(feed_table.c.id == bindparam("which")).values(due_at=bindparam("at"))
    with ledger.write() as t:
        t.execute(feed_table.update().values(outcome=None))
        t.execute(statement, [{"which": feed_id, "at": at} for feed_id, at in due.items()])
    return due


def _rhythm(now: datetime) -> Mapping[str, object]:
    """Return what some days have taught of a feed with three entries in every tenth poll."""
    learned: dict[str, object] = {}
    for number in range(600, 0, -1):
        at = now - number * _INTERVAL
        news = FRESH if number % 10 == 0 else 0
        learned = rhythm.learn(learned, new=news, shown=True, now=at, polled_at=at - _INTERVAL, base=_INTERVAL)
    return learned


def _known(one: Claim[FeedState], due: datetime, learned: Mapping[str, object], *, now: datetime) -> feeds.Polled:
    shown = document(-1 if _kind(int(one.id[1:])) == _NEWS else 0)
    known = replace(
        one.value,
        state="ok",
        etag='"1"',
        body_hash=body_hash(shown),
        last_success_at=now - _INTERVAL,
        polled_at=now - _INTERVAL,
        full_at=now - timedelta(hours=1),
        rhythm=learned,
    )
    return feeds.Polled(claim=one, state=known, next_poll_at=due, host=HOSTS[int(one.id[1:]) % len(HOSTS)])


def _serve(state: Path, settings: Settings) -> None:
    """Be the supervisor of a service that polls."""
    place = Place(config=state, state=state, named=True)
    place.tell(os.environ)
    from worker.live import parts
    from worker.live.app import App
    from worker.live.service import live_plan

    # Not from a file, which takes five seconds to read.
    App.plan = staticmethod(lambda: replace(live_plan(), settings=lambda _: (settings, 0)))
    workers = [part for part in parts.workers(1) if part.name == "worker poll"]
    parts.supervise([parts.server(place), parts.scheduler(), *workers], place)
