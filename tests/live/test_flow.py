"""The flow of a stage: rows do not wait for each other, and none is dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import NOON, at, feed, topic
from tests.processes import DEADLINE
from worker.alerts.policy import Policy
from worker.errors import LedgerUnusable
from worker.feeds.polling import Polling
from worker.ledger import feeds
from worker.ledger.engine import open_file
from worker.ledger.leases import LEASE, Claim
from worker.ledger.tables import feed as feed_table
from worker.live.flow import Flow, Steps
from worker.model import FeedState
from worker.stages import poll
from worker.stages.pipeline import Outcome, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.response import Response

FEEDS = 6


@dataclass
class Turnstile:
    """A web in which the feed ``f0`` answers only when it is let through."""

    open: threading.Event = field(default_factory=threading.Event)

    def get(self, url: str, **_: Any) -> Response:
        """Return an empty feed."""
        if url.endswith("/f0"):
            assert self.open.wait(DEADLINE)
        return Response(status=200, url=url, body=b"<rss version='2.0'><channel></channel></rss>")


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Pipeline]:
    """Give a pipeline with six feeds, the first of which dawdles."""
    ledger = open_file(tmp_path / "ledger.sqlite", durable=False)
    configured = [feed(id=f"f{n}", url=f"https://wire.example/f{n}") for n in range(FEEDS)]
    with ledger.write() as t:
        feeds.sync(t, configured, now=NOON)
    yield Pipeline(
        feeds={f.id: f for f in configured},
        topics={},
        matcher=compile_topics([topic()]),
        rarity=rarity.load(),
        routes=(),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=Turnstile(),
        channels={},
        jitter=lambda: 0.0,
    )
    ledger.close()


def states(p: Pipeline) -> dict[str, str]:
    """Return the states of the feeds."""
    with p.ledger.read() as t:
        return {feed_id: state.state for feed_id, state in feeds.states(t).items()}


def steps(record: Callable[..., list[Outcome]] = poll.record) -> Steps[FeedState, poll.Asked]:
    """Return the steps of the poll stage."""
    return Steps(claim=poll.claim, do=poll.do, record=record, release=poll.release)


def until(seen: Callable[[], bool]) -> None:
    """Wait until something has come about."""
    end = time.monotonic() + DEADLINE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.005)


def served(
    flow: Flow[Any, Any], stop: threading.Event, clock: Callable[[], datetime] = lambda: NOON
) -> tuple[threading.Thread, list[BaseException]]:
    """Have a flow work in a thread of its own, at noon unless told otherwise."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            flow.serve(clock=clock, stop=stop)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, errors


def test_a_row_that_takes_its_time_keeps_no_other_waiting(p: Pipeline) -> None:
    """Five feeds are recorded while the first is still being asked; then it is recorded, too."""
    stop = threading.Event()
    thread, errors = served(Flow(p, steps(), room=2, name="t"), stop)
    others = {f"f{n}": "ok" for n in range(1, FEEDS)}
    until(lambda: states(p) == others | {"f0": "new"})
    assert isinstance(p.web, Turnstile)
    p.web.open.set()
    until(lambda: states(p) == others | {"f0": "ok"})
    stop.set()
    thread.join(DEADLINE)
    assert errors == []


def test_what_cannot_be_recorded_takes_nothing_with_it(p: Pipeline) -> None:
    """One row with an unexpected error: the others are written, and it is due again when its lease has run out."""
    assert isinstance(p.web, Turnstile)
    p.web.open.set()

    def record(p: Pipeline, asked: list[poll.Asked], *, now: datetime) -> list[Outcome]:
        if any(one.claim.id == "f3" for one in asked):
            raise ZeroDivisionError
        return poll.record(p, asked, now=now)

    stop = threading.Event()
    thread, errors = served(Flow(p, steps(record), room=FEEDS, name="t"), stop)
    until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
    stop.set()
    thread.join(DEADLINE)
    assert (errors, states(p)["f3"]) == ([], "new")
    with p.ledger.write() as t:
        later: list[Claim[FeedState]] = feeds.claim(t, now=at(10) + LEASE, limit=FEEDS)
    assert [(claim.id, claim.attempt) for claim in later] == [("f3", 2)]


def test_a_row_that_is_claimed_again_while_it_is_in_hand_is_recorded_once(p: Pipeline) -> None:
    """Its lease ran out, or it was changed and is due anew: the first claim comes to nothing, and the flow goes on."""
    times = [NOON]
    stop = threading.Event()
    thread, errors = served(Flow(p, steps(), room=FEEDS, name="t"), stop, lambda: times[-1])
    until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
    times.append(at(10) + LEASE)
    until(lambda: attempts(p, "f0") == 2)
    assert isinstance(p.web, Turnstile)
    p.web.open.set()
    until(lambda: states(p)["f0"] == "ok")
    stop.set()
    thread.join(DEADLINE)
    assert errors == []


def attempts(p: Pipeline, feed_id: str) -> int:
    """Return how often a feed was claimed since its last end."""
    with p.ledger.read() as t:
        return int(t.execute(select(feed_table.c.attempt).where(feed_table.c.id == feed_id)).scalar_one())


def test_a_ledger_that_fails_ends_the_flow(p: Pipeline) -> None:
    """Nobody goes on as if nothing were."""

    def record(*_: Any, **__: Any) -> list[Outcome]:
        raise LedgerUnusable("gone")

    assert isinstance(p.web, Turnstile)
    p.web.open.set()
    thread, errors = served(Flow(p, steps(record), room=2, name="t"), threading.Event())
    thread.join(DEADLINE)
    assert [type(error) for error in errors] == [LedgerUnusable]


def test_a_stop_gives_back_what_takes_too_long(p: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is free for the next start, and its publisher is not asked again before the interval is over."""
    monkeypatch.setattr("worker.live.flow._GRACE", 0.1)
    stop = threading.Event()
    thread, errors = served(Flow(p, steps(), room=FEEDS, name="t"), stop)
    until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
    stop.set()
    thread.join(DEADLINE)
    assert isinstance(p.web, Turnstile)
    p.web.open.set()
    with p.ledger.write() as t:
        assert feeds.claim(t, now=at(9), limit=FEEDS) == []
        assert {claim.id: claim.attempt for claim in feeds.claim(t, now=at(10), limit=FEEDS)}["f0"] == 1
    assert errors == []
