"""A backlog: it drains oldest first, what is new does not wait behind it, and everybody can see how long it is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from tests.builders import NOON, topic
from tests.builders import entry as entry_of
from tests.processes import DEADLINE, wirewatch
from tests.rows import new
from worker.alerts.policy import Policy
from worker.build import SERVICE_LEDGER
from worker.feeds.polling import Polling
from worker.ledger import entries, overview
from worker.ledger.engine import Ledger, open_file
from worker.ledger.entries import Due
from worker.ledger.leases import Claim
from worker.ledger.tables import OPEN, entry
from worker.live.flow import Flow, Steps
from worker.live.report import report
from worker.model import Reason
from worker.settings import Settings
from worker.stages import read
from worker.stages.pipeline import Outcome, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.gates import LocalGates
from worker.web.network import Network
from worker.web.response import Response

ROOM = 16
#: The rows of a claim that are the newest.
NEWEST = 4


@pytest.fixture(params=[("sqlite", 100_000), ("postgres", 20_000)], ids=["sqlite", "postgres"])
def backlog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, int]]:
    """Give a ledger with a backlog of many entries, a second apart, and their number."""
    kind, count = request.param
    opened: Ledger = (
        open_file(tmp_path / SERVICE_LEDGER, durable=False)
        if kind == "sqlite"
        else request.getfixturevalue("postgres_ledger")
    )
    fill(opened, [f"https://wire.example/{number}" for number in range(count)], feed="wire")
    yield opened, count
    if kind == "sqlite":
        opened.close()


def fill(ledger: Ledger, urls: Sequence[str], *, feed: str, first: datetime = NOON) -> None:
    """Write entries that are due, the first at ``first`` and each a second after the one before."""
    same = {"feed_id": feed, "title": "Something", "text": "", "outlet": "Wire", "work": OPEN, "reason": Reason.QUEUED}
    rows = []
    for number, url in enumerate(urls):
        due = first + timedelta(seconds=number)
        rows.append(same | {"key": url, "url": url, "page": url, "first_seen_at": due, "seen_at": due, "due_at": due})
    with ledger.write() as t:
        for start in range(0, len(rows), 10_000):
            t.execute(insert(entry), rows[start : start + 10_000])


def claimed(ledger: Ledger, now: datetime, *, limit: int = ROOM) -> list[Claim[Due]]:
    """Claim entries, and mark them as read."""
    with ledger.write() as t:
        found = entries.claim(t, now=now, limit=limit)
        for one in found:
            entries.finish(t, one, reason=Reason.PAGE)
    return found


def numbers(claims: Sequence[Claim[Due]]) -> list[int]:
    """Return which entries of the backlog were claimed."""
    return [int(one.value.entry.url.rpartition("/")[2]) for one in claims]


def test_a_backlog_drains_oldest_first_beside_what_is_new_and_is_shown(
    backlog: tuple[Ledger, int], tmp_path: Path
) -> None:
    """One ledger for three questions, because it is dear to fill."""
    ledger, count = backlog
    now = NOON + timedelta(seconds=count)
    _its_depth_and_the_age_of_its_oldest_entry_are_shown(ledger, count, now, tmp_path)
    _it_drains_oldest_first_with_a_quarter_for_the_newest(ledger, count, now)
    _what_comes_meanwhile_is_in_the_next_claim(ledger, now)


def _its_depth_and_the_age_of_its_oldest_entry_are_shown(
    ledger: Ledger, count: int, now: datetime, tmp_path: Path
) -> None:
    found = report(ledger, Settings(), now=now)
    assert found["queues"]["read"] == {"open": count, "due": count, "leased": 0, "oldest_s": count}
    assert f"queue read: the oldest row has waited {count} s and nothing is in hand" in found["why_not"]
    with ledger.write() as t:
        some = entries.claim(t, now=now, limit=ROOM)
    queue = report(ledger, Settings(), now=now)["queues"]["read"]
    assert queue == {"open": count, "due": count - ROOM, "leased": ROOM, "oldest_s": count - ROOM + NEWEST}
    if ledger.name.endswith(SERVICE_LEDGER):
        done = wirewatch("status", "--json", "--state", tmp_path, cwd=tmp_path / "asked")
        shown = json.loads(done.out)["queues"]["read"]
        assert (done.code, shown["open"], shown["leased"]) == (1, count, ROOM)
        assert shown["oldest_s"] > count
    with ledger.write() as t:
        entries.release(t, [(one, NOON + timedelta(seconds=numbers([one])[0])) for one in some])


def _it_drains_oldest_first_with_a_quarter_for_the_newest(ledger: Ledger, count: int, now: datetime) -> None:
    old, turns = ROOM - NEWEST, 25
    for turn in range(turns):
        oldest = [*range(turn * old, (turn + 1) * old)]
        newest = [*range(count - (turn + 1) * NEWEST, count - turn * NEWEST)]
        assert numbers(claimed(ledger, now)) == oldest + newest
    with ledger.read() as t:
        assert overview.queues(t, now=now)["read"]["open"] == count - turns * ROOM


def _what_comes_meanwhile_is_in_the_next_claim(ledger: Ledger, now: datetime) -> None:
    for turn in range(10):
        now += timedelta(seconds=1)
        claimed(ledger, now)
        fresh = entry_of(turn, feed_id=f"breaking-{turn}", url=f"https://breaking.example/{turn}")
        with ledger.write() as t:
            entries.add(t, new(fresh), now=now)
        assert fresh.url in [one.value.entry.url for one in claimed(ledger, now)]


# One host with many entries


MANY, OTHERS = 5000, 20
_GAP = timedelta(seconds=1)
#: Claims after which the others must have been read.
_ENOUGH = 30


@dataclass
class CountingWeb:
    """A web that answers everything, and knows what it was asked."""

    asked: list[str] = field(default_factory=list)

    def get(self, url: str, **_: Any) -> Response:
        """Return a page without a text."""
        self.asked.append(url)
        return Response(status=404, url=url)


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Pipeline]:
    """Give a pipeline with gates of its own, through which a page a second passes to each host."""
    ledger = open_file(tmp_path / "ledger.sqlite", durable=False)
    yield Pipeline(
        feeds={},
        topics={},
        matcher=compile_topics([topic()]),
        rarity=rarity.load(),
        routes=(),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=CountingWeb(),
        channels={},
        jitter=lambda: 0.0,
        gates=LocalGates(Network(per_host_gap=_GAP, per_host_concurrency=2)),
    )
    ledger.close()


@pytest.mark.parametrize("place", [0, MANY // 2, MANY], ids=["oldest", "amidst", "newest"])
def test_a_host_that_lets_few_pages_pass_holds_up_no_other(p: Pipeline, place: int) -> None:
    """Five thousand entries wait for one host; those of others, wherever they stand among them, are read meanwhile.

    The clock goes on by a tenth of a second for each claim.
    """
    busy = [f"https://busy.example/{number}" for number in range(MANY)]
    others = [f"https://other-{number}.example/1" for number in range(OTHERS)]
    fill(p.ledger, [*busy[:place], *others, *busy[place:]], feed="wire")
    claims: list[int] = []

    def claim(p: Pipeline, *, now: datetime, limit: int) -> tuple[list[Claim[Due]], list[Outcome]]:
        claims.append(limit)
        return read.claim(p, now=now, limit=limit)

    start = NOON + timedelta(seconds=MANY + OTHERS)
    flow: Flow[Any, Any] = Flow(
        p,
        Steps(claim=claim, do=read.do, record=read.record, release=read.release),
        room=ROOM,
        name="read",
        clock=lambda: start + len(claims) * timedelta(seconds=0.1),
    )
    flow.start()
    flow.go()
    web = p.web
    assert isinstance(web, CountingWeb)
    until = time.monotonic() + DEADLINE
    while not set(others) <= set(web.asked) and len(claims) <= _ENOUGH:
        assert flow.error is None
        assert time.monotonic() < until
        time.sleep(0.01)
    flow.close()
    assert set(others) <= set(web.asked), f"{len(set(others) - set(web.asked))} still wait after {_ENOUGH} claims"
