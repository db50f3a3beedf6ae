"""A thousand feeds that are due at once: how many a second one process polls, and what a poll costs."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.bench.harness import compare, ratios
from tests.bench.web import HOSTS, serving
from tests.builders import NOON, topic
from worker.alerts.policy import Policy
from worker.feeds.polling import Polling
from worker.ledger import feeds
from worker.ledger.engine import open_file
from worker.ledger.tables import feed as feed_table
from worker.live.clock import wall_clock
from worker.live.flow import Flow, Steps
from worker.live.service import ROOMS
from worker.model import Feed, Reason
from worker.stages import poll
from worker.stages.pipeline import Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.client import LiveWeb
from worker.web.gates import LocalGates
from worker.web.network import Network

_BOUND_S = 120.0
_HEADERS = {"if-none-match": '"1"'}


def rows(rounds: int) -> list[dict[str, Any]]:
    """Return one row: 1,000 feeds of 1,000 hosts that answer 304 after 0.3 s, with ledger, gates and rhythm."""
    walls: list[float] = []
    with tempfile.TemporaryDirectory() as folder, serving() as port, httpx.Client(timeout=30) as bare:
        p = _pipeline(Path(folder), port)
        try:
            figures = compare(
                {
                    "ours": lambda: walls.append(_poll_all(p)),
                    "bare": lambda: _bare(bare, [f"http://{host}:{port}/feed.xml" for host in HOSTS]),
                    "kept": lambda: _bare(bare, [f"http://{HOSTS[0]}:{port}/feed.xml"] * len(HOSTS)),
                },
                rounds=rounds,
            )
        finally:
            p.ledger.close()
    least, middle, most = ratios(figures["ours"], figures["bare"])
    kept = ratios(figures["ours"], figures["kept"])
    return [
        {
            "what": f"{len(HOSTS)} feeds due at once, each of a host that answers 304 after 0.3 s, one process",
            "per_s": round(len(HOSTS) / min(walls[1:])),
            "ours_ms": round(figures["ours"].median / len(HOSTS) * 1000, 3),
            "bare_ms": round(figures["bare"].median / len(HOSTS) * 1000, 3),
            "ratio": round(middle, 2),
            "spread": f"{least:.2f}-{most:.2f}",
            "kept_ms": round(figures["kept"].median / len(HOSTS) * 1000, 3),
            "to_kept": round(kept[1], 2),
            "goal": ">= 150 per s, <= 1.5 x a bare loop over the same hosts (kept: all on one kept connection)",
        }
    ]


def _pipeline(folder: Path, port: int) -> Pipeline:
    network = Network(allow_private=("127.77.0.0/16",), allow_ports=(port,))
    gates = LocalGates(network)
    watched = topic()
    configured = [Feed(id=host, url=f"http://{host}:{port}/slow.xml", outlet=host) for host in HOSTS]
    ledger = open_file(folder / "ledger.sqlite")
    with ledger.write() as t:
        feeds.sync(t, configured, now=NOON)
        # As they are after a first good poll, so that all of them are asked conditionally.
        claims = feeds.claim(t, now=NOON, limit=len(configured))
        known = [
            feeds.Polled(
                claim=claim,
                state=replace(claim.value, etag='"1"', state="ok", last_success_at=NOON, full_at=wall_clock()),
                next_poll_at=NOON,
                host=claim.id,
            )
            for claim in claims
        ]
        feeds.record(t, known)
    return Pipeline(
        feeds={feed.id: feed for feed in configured},
        topics={watched.id: watched},
        matcher=compile_topics([watched]),
        rarity=rarity.load(),
        routes=(),
        policy=Policy(),
        polling=Polling(),
        ledger=ledger,
        web=LiveWeb(network, user_agent="bench", gates=gates),
        channels={},
        jitter=lambda: 0.5,
        gates=gates,
    )


def _poll_all(p: Pipeline) -> float:
    """Poll every feed once and return how many seconds that took."""
    with p.ledger.write() as t:
        t.execute(feed_table.update().values(due_at=NOON))
    stop = threading.Event()
    seen: set[str] = set()

    def record(*args: Any, **kwargs: Any) -> Any:
        outcomes = poll.record(*args, **kwargs)
        # A poll that asked for less than it says would be cheap for nothing.
        seen.update(outcome.subject for outcome in outcomes if outcome.reason is Reason.NOT_MODIFIED)
        if len(seen) == len(HOSTS):
            stop.set()
        return outcomes

    steps = Steps(claim=poll.claim, do=poll.do, record=record, release=poll.release)
    flow = Flow(p, steps, room=ROOMS["poll"], name="poll", clock=wall_clock)
    began = time.perf_counter()
    flow.start()
    flow.go()
    stop.wait(_BOUND_S)
    took = time.perf_counter() - began
    flow.close()
    assert len(seen) == len(HOSTS), f"only {len(seen)} feeds were polled in {timedelta(seconds=took)}"
    return took


def _bare(client: httpx.Client, urls: list[str]) -> None:
    """Ask one after another for feeds that answer at once, and do nothing with the answers."""
    for url in urls:
        assert client.get(url, headers=_HEADERS).status_code == httpx.codes.NOT_MODIFIED
