"""What a poll costs: nothing new by status, nothing new by content, and three new entries of thirty.

Ours is the stage as it works live: a flow with its threads, the ledger on disk, the gates in Valkey, and, for documents
that have changed, the processes that parse. The CPU time of all of them counts, that of the publishers does not. Beside
it stand a loop with one httpx client over the same hosts, and ``feedparser.parse`` of the same documents.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import feedparser
import httpx

from tests.bench.harness import Processes, Row, compare, milliseconds, ratio, span
from tests.bench.publisher import ENTRIES, FRESH, HOSTS, LATENCY, document, serving
from tests.builders import NOON, topic
from worker.alerts.policy import Policy
from worker.feeds.document import body_hash
from worker.feeds.polling import Polling
from worker.ledger import feeds
from worker.ledger.engine import Ledger, open_file
from worker.ledger.tables import feed as feed_table
from worker.live import valkey
from worker.live.broker import open_broker
from worker.live.cage import Cage
from worker.live.clock import LedgerClock
from worker.live.flow import Flow, Steps
from worker.live.gates import open_gates
from worker.live.readers import caged
from worker.live.service import READERS, ROOMS
from worker.model import Feed, FeedState, Reason
from worker.stages import poll
from worker.stages.pipeline import Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.client import LiveWeb
from worker.web.network import Network

_BOUND_S = 120.0
_CONDITION = {"if-none-match": '"1"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of answer."""

    #: What is polled, in a round, of as many hosts.
    name: str
    count: int
    #: What the stage makes of it.
    reason: Reason
    what: str
    #: What the ledger knows of the feed before.
    known: dict[str, Any] = field(default_factory=dict)


_KINDS = (
    _Kind(name="feed.xml", count=500, reason=Reason.NOT_MODIFIED, what="answers 304", known={"etag": '"1"'}),
    _Kind(
        name="same.xml",
        count=500,
        reason=Reason.UNCHANGED,
        what=f"answers 200 with the same {ENTRIES} entries",
        known={"body_hash": body_hash(document(0))},
    ),
    _Kind(name="news.xml", count=60, reason=Reason.NEW_ENTRIES, what=f"has {FRESH} new entries of {ENTRIES}"),
)


def rows(rounds: int) -> Iterable[Row]:
    """Yield the cost of a poll of each kind, and how many a second one process makes."""
    with ExitStack() as stack:
        port = stack.enter_context(serving())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = stack.enter_context(httpx.Client(timeout=30))
        server = valkey.start(folder)
        stack.callback(server.stop)
        cage = Cage(READERS)
        stack.callback(cage.close)
        for kind in _KINDS:
            with _poller(kind, port, folder, cage, server.pid) as poller:
                yield from _rows(poller, client, rounds)


def _rows(ours: _Poller, client: httpx.Client, rounds: int) -> Iterator[Row]:
    kind, walls = ours.kind, list[float]()
    contestants: dict[str, Callable[[], float | None]] = {
        "ours": lambda: ours.poll_all(walls),
        "bare": lambda: _get_all(client, ours),
    }
    parsed = kind.reason is Reason.NEW_ENTRIES
    if parsed:
        contestants["feedparser"] = lambda: _parse_all(kind.count)
    figures = compare(contestants, rounds=rounds)
    beside: dict[str, Any] = {
        "GET by httpx alone, ms": milliseconds(figures["bare"], kind.count).median,
        "times that": ratio(figures["ours"], figures["bare"]).median,
    }
    if parsed:
        beside["feedparser.parse alone, ms"] = milliseconds(figures["feedparser"], kind.count).median
        beside["times that "] = ratio(figures["ours"], figures["feedparser"]).median
    what = f"poll of a feed that {kind.what}"
    yield Row(what=what, value=milliseconds(figures["ours"], kind.count), unit="ms", beside=beside)
    if kind.reason is Reason.NOT_MODIFIED:
        yield Row(what=f"{what}, against a GET by httpx", value=ratio(figures["ours"], figures["bare"]), unit="x")
        late = f"{kind.count} feeds due at once that answer 304 after {LATENCY} s, one process, by the wall's clock"
        # Without the round that warms up.
        rates = span(kind.count / wall for wall in walls[1:])
        yield Row(what=late, value=rates, unit="polls/s", goal=150, wanted="least")


def _get_all(client: httpx.Client, ours: _Poller) -> None:
    """Ask one host after another, at an address that answers at once, and do nothing with the answers."""
    fine = httpx.codes.NOT_MODIFIED if ours.kind.reason is Reason.NOT_MODIFIED else httpx.codes.OK
    headers = _CONDITION if ours.kind.reason is Reason.NOT_MODIFIED else {}
    for host in HOSTS[: ours.kind.count]:
        answer = client.get(f"http://{host}:{ours.port}/{ours.kind.name}", headers=headers)
        assert answer.status_code == fine


def _parse_all(count: int) -> None:
    for _ in range(count):
        assert len(feedparser.parse(document(1)).entries) == ENTRIES


@contextmanager
def _poller(kind: _Kind, port: int, folder: Path, cage: Cage, server: int | None) -> Iterator[_Poller]:
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(open_file(folder / kind.name / "ledger.sqlite")))
        network = Network(allow_private=("127.77.0.0/16",), allow_ports=(port,))
        broker = open_broker("embedded", socket=valkey.socket_of(folder))
        gates = stack.enter_context(closing(open_gates(broker, network, gather=True)))
        web = stack.enter_context(closing(LiveWeb(network, user_agent="bench", gates=gates)))
        watched = topic()
        configured = [
            Feed(id=host, url=f"http://{host}:{port}/late/{kind.name}", outlet=host) for host in HOSTS[: kind.count]
        ]
        p = Pipeline(
            feeds={feed.id: feed for feed in configured},
            topics={watched.id: watched},
            matcher=compile_topics([watched]),
            rarity=rarity.load(),
            routes=(),
            policy=Policy(),
            polling=Polling(),
            ledger=ledger,
            web=web,
            channels={},
            jitter=lambda: 0.5,
            gates=gates,
            readers=caged(cage),
        )
        _polled_before(ledger, configured, kind)
        yield _Poller(p, kind, port, cage, server)


def _polled_before(ledger: Ledger, configured: list[Feed], kind: _Kind) -> None:
    """Leave the feeds in the ledger as they are after good polls, the last of them a while ago."""
    now = ledger.clock()
    with ledger.write() as t:
        feeds.sync(t, configured, now=NOON)
        known = [
            feeds.Polled(
                claim=claim,
                state=replace(claim.value, state="ok", last_success_at=NOON, full_at=now, **kind.known),
                next_poll_at=NOON,
                host=claim.id,
            )
            for claim in feeds.claim(t, now=now, limit=len(configured))
        ]
        feeds.record(t, known)


class _Poller:
    """Feeds of one kind, with what polls them."""

    def __init__(self, p: Pipeline, kind: _Kind, port: int, cage: Cage, server: int | None) -> None:
        self.kind, self.port = kind, port
        self._p, self._cage, self._server = p, cage, server
        self._clock = LedgerClock(p.ledger)
        # The first document of all has no known entry in it.
        if kind.reason is Reason.NEW_ENTRIES:
            self.poll_all([])

    def poll_all(self, walls: list[float]) -> float:
        """Poll every feed once and return the CPU seconds of all processes; add the wall's to ``walls``."""
        with self._p.ledger.write() as t:
            t.execute(feed_table.update().values(due_at=NOON))
        began, used = time.perf_counter(), self._used()
        self._until_all_are_seen()
        walls.append(time.perf_counter() - began)
        return self._used() - used

    def _until_all_are_seen(self) -> None:
        seen: set[str] = set()
        done = threading.Event()

        def heard(outcomes: Any) -> None:
            # A poll that asked for less than it says would be cheap for nothing.
            seen.update(outcome.subject for outcome in outcomes if outcome.reason is self.kind.reason)
            if len(seen) == self.kind.count:
                done.set()

        steps: Steps[FeedState, poll.Asked] = Steps(
            claim=poll.claim, do=poll.do, record=poll.record, release=poll.release
        )
        flow = Flow(self._p, steps, room=ROOMS["poll"], name="poll", clock=self._clock, heard=heard)
        flow.start()
        flow.go()
        try:
            assert done.wait(_BOUND_S), f"{len(seen)} of {self.kind.count} feeds: {self.kind.reason}"
        finally:
            flow.close()

    def _used(self) -> float:
        roots = [pid for pid in (self._server, *self._cage.processes()[:1]) if pid is not None]
        return time.process_time() + Processes(*roots).seconds()
