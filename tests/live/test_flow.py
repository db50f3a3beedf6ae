"""The flow of a stage: rows do not wait for each other, and none is dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import NOON, at, feed, topic
from tests.processes import DEADLINE
from worker.alerts.policy import Policy
from worker.errors import DiskFull, LedgerAway, LedgerUnusable
from worker.feeds.polling import Polling
from worker.ledger import feeds, snapshots
from worker.ledger.engine import open_file
from worker.ledger.leases import LEASE, Claim
from worker.ledger.tables import feed as feed_table
from worker.live import flow as flow_module
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
    """A web in which the feed ``f0``, or the first ``waiting`` feeds, answer only when they are let through."""

    open: threading.Event = field(default_factory=threading.Event)
    waiting: int = 1

    def get(self, url: str, **_: Any) -> Response:
        """Return an empty feed."""
        if int(url.rpartition("/f")[2]) < self.waiting:
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


@contextmanager
def going(
    p: Pipeline, stage: Steps[Any, Any], *, room: int, clock: Callable[[], datetime] = lambda: NOON, grace: float = 30.0
) -> Iterator[Flow[Any, Any]]:
    """Have a flow work, at noon unless told otherwise, until the block ends."""
    flow: Flow[Any, Any] = Flow(p, stage, room=room, name="poll", clock=clock)
    flow.start()
    flow.go()
    try:
        yield flow
    finally:
        flow.close(grace)


def let_go(p: Pipeline) -> None:
    """Have the feed that dawdles answer."""
    assert isinstance(p.web, Turnstile)
    p.web.open.set()


def test_most_places_being_taken_by_those_who_dawdle_keeps_no_other_waiting(p: Pipeline) -> None:
    """Few places are free and a claim is dear, but it is made: one free place of four is enough for all who answer."""
    assert isinstance(p.web, Turnstile)
    p.web.waiting = 3
    with going(p, steps(), room=4):
        until(lambda: list(states(p).values()) == ["new"] * 3 + ["ok"] * 3)
        let_go(p)
        until(lambda: list(states(p).values()) == ["ok"] * FEEDS)


def test_results_that_come_together_are_recorded_together(p: Pipeline) -> None:
    """Five of six answer at once, and wait a little for the one that does not: one transaction, and then one for it."""
    recorded: list[int] = []

    def record(p_: Pipeline, asked: Any, *, now: datetime) -> list[Outcome]:
        recorded.append(len(asked))
        return poll.record(p_, asked, now=now)

    with going(p, steps(record), room=2 * FEEDS):
        until(lambda: sum(recorded) == FEEDS - 1)
        let_go(p)
        until(lambda: sum(recorded) == FEEDS)
    assert recorded[-1] == 1
    assert len(recorded) < FEEDS


def test_a_row_that_takes_its_time_keeps_no_other_waiting(p: Pipeline) -> None:
    """Five feeds are recorded while the first is still being asked; then it is recorded, too."""
    others = {f"f{n}": "ok" for n in range(1, FEEDS)}
    with going(p, steps(), room=2) as flow:
        until(lambda: states(p) == others | {"f0": "new"})
        assert flow.busy
        assert not flow.idle()
        let_go(p)
        until(lambda: states(p) == others | {"f0": "ok"})
        until(flow.idle)
    assert flow.error is None


def test_a_flow_that_is_halted_claims_nothing_and_finishes_what_it_has(p: Pipeline) -> None:
    """Between two shifts: what was in hand is recorded without anybody waiting for it, and the next go claims again."""
    with going(p, steps(), room=1) as flow:
        until(lambda: flow.full)
        flow.halt()
        let_go(p)
        until(lambda: states(p)["f0"] == "ok")
        until(lambda: not flow.busy)
        assert list(states(p).values()).count("new") == FEEDS - 1
        flow.go()
        until(lambda: list(states(p).values()).count("ok") == FEEDS)


def fall_asleep(flow: Flow[Any, Any]) -> None:
    """Halt a flow and wait until it has taken its last turn."""
    flow.halt()
    until(lambda: not flow.busy)
    halted_at = time.monotonic()
    flow._hands.nudge()
    until(lambda: flow.turned_at > halted_at)


def test_a_flow_that_sleeps_is_woken_to_work_and_to_end(p: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halted and with nothing in hand it takes no turns, however long that lasts."""
    monkeypatch.setattr(flow_module, "_ASLEEP", 1000.0)
    let_go(p)
    flow: Flow[Any, Any] = Flow(p, steps(), room=FEEDS, name="poll", clock=lambda: NOON)
    flow.start()
    flow.go()
    until(lambda: set(states(p).values()) == {"ok"})
    fall_asleep(flow)
    with p.ledger.write() as t:
        t.execute(feed_table.update().values(due_at=NOON, state="new"))
    assert set(states(p).values()) == {"new"}
    flow.go()
    until(lambda: set(states(p).values()) == {"ok"})
    fall_asleep(flow)
    flow.close()
    assert flow._thread is not None
    assert not flow._thread.is_alive()


def test_what_cannot_be_recorded_takes_nothing_with_it(p: Pipeline) -> None:
    """One row with an unexpected error: the others are written, and it is due again when its lease has run out."""
    let_go(p)

    def record(p: Pipeline, asked: list[poll.Asked], *, now: datetime) -> list[Outcome]:
        if any(one.claim.id == "f3" for one in asked):
            raise ZeroDivisionError
        return poll.record(p, asked, now=now)

    with going(p, steps(record), room=FEEDS) as flow:
        until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
    assert (flow.error, states(p)["f3"]) == (None, "new")
    with p.ledger.write() as t:
        later: list[Claim[FeedState]] = feeds.claim(t, now=at(10) + LEASE, limit=FEEDS)
    assert [(claim.id, claim.attempt) for claim in later] == [("f3", 2)]


def test_a_row_that_is_claimed_again_while_it_is_in_hand_is_recorded_once(p: Pipeline) -> None:
    """Its lease ran out, or it was changed and is due anew: the first claim comes to nothing, and the flow goes on."""
    times = [NOON]
    with going(p, steps(), room=FEEDS, clock=lambda: times[-1]) as flow:
        until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
        times.append(at(10) + LEASE)
        until(lambda: attempts(p, "f0") == 2)
        let_go(p)
        until(lambda: states(p)["f0"] == "ok")
    assert flow.error is None


def attempts(p: Pipeline, feed_id: str) -> int:
    """Return how often a feed was claimed since its last end."""
    with p.ledger.read() as t:
        return int(t.execute(select(feed_table.c.attempt).where(feed_table.c.id == feed_id)).scalar_one())


def test_a_ledger_that_fails_ends_the_flow(p: Pipeline) -> None:
    """Nobody goes on as if nothing were."""

    def record(*_: Any, **__: Any) -> list[Outcome]:
        raise LedgerUnusable("gone")

    let_go(p)
    with going(p, steps(record), room=2) as flow:
        until(lambda: flow.error is not None)
    assert isinstance(flow.error, LedgerUnusable)


@pytest.mark.parametrize("error", [LedgerAway, DiskFull])
def test_what_was_done_waits_for_a_ledger_that_is_away(p: Pipeline, error: type[Exception]) -> None:
    """Nothing is claimed meanwhile, nothing is asked twice, and everything is written when it is back."""
    let_go(p)
    away = threading.Event()
    away.set()

    def record(p: Pipeline, asked: list[poll.Asked], *, now: datetime) -> list[Outcome]:
        if away.is_set():
            raise error("gone for a while")
        return poll.record(p, asked, now=now)

    with going(p, steps(record), room=2) as flow:
        until(lambda: bool(flow.away))
        assert set(states(p).values()) == {"new"}
        away.clear()
        until(lambda: list(states(p).values()).count("ok") == FEEDS)
        assert flow.away == ""
    assert {feed_id: attempts(p, feed_id) for feed_id in states(p)} == dict.fromkeys(states(p), 0)


def test_a_flow_of_an_older_configuration_claims_nothing_more(p: Pipeline) -> None:
    """Whoever has put a newer one in force is followed at the next claim; what is in hand is recorded all the same."""
    with p.ledger.write() as t:
        first = snapshots.keep(t, topics=(), files={"topics.yaml": "1"}, now=NOON)
    with going(replace(p, generation=first), steps(), room=1) as flow:
        until(lambda: flow.full)
        with p.ledger.write() as t:
            snapshots.keep(t, topics=(), files={"topics.yaml": "2"}, now=NOON)
        let_go(p)
        until(lambda: flow.outdated)
        assert states(p)["f0"] == "ok"
        assert list(states(p).values()).count("new") == FEEDS - 1


def test_a_stop_gives_back_what_takes_too_long(p: Pipeline) -> None:
    """Its place is free for the next start, and its publisher is not asked again before the interval is over."""
    with going(p, steps(), room=FEEDS, grace=0.1) as flow:
        until(lambda: list(states(p).values()).count("ok") == FEEDS - 1)
    let_go(p)
    with p.ledger.write() as t:
        assert feeds.claim(t, now=at(9), limit=FEEDS) == []
        assert {claim.id: claim.attempt for claim in feeds.claim(t, now=at(10), limit=FEEDS)}["f0"] == 1
    assert flow.error is None


def test_a_flow_knows_what_becomes_due_soon(p: Pipeline) -> None:
    """What is due now and was not claimed is not counted: it is not to be had."""
    with going(p, steps(), room=FEEDS) as flow:
        let_go(p)
        until(flow.idle)
        assert flow.due_within(timedelta(minutes=10))
        assert not flow.due_within(timedelta(minutes=9))
