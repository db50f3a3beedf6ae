"""A live pipeline (real requests, real gates, real ledger) on a clock that the test turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, topic
from tests.polling.publisher import Publisher, publisher
from worker.alerts.policy import Policy, Route
from worker.channels.file import FileChannel
from worker.feeds.polling import Polling
from worker.ledger import feeds
from worker.ledger.engine import Ledger, open_file
from worker.model import Feed, FeedState, Topic
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outcome, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.client import LiveWeb
from worker.web.gates import LocalGates
from worker.web.network import Network

AGENT = "wirewatch/test (+https://wire.example/about)"
#: The loopback network of publishers; 127.0.0.1 stays a private address.
PUBLISHERS = "127.77.0.0/16"
#: The table that ships: nothing changes it.
RARITY = rarity.load()


def rss(*items: str, head: str = "") -> bytes:
    """Return an RSS document."""
    return f'<rss version="2.0"><channel><title>Wire</title>{head}{"".join(items)}</channel></rss>'.encode()


def item(
    number: int | str,
    *,
    title: str = "",
    guid: str | None = None,
    link: str | None = None,
    date: str = "Wed, 11 Feb 2026 11:00:00 GMT",
    text: str = "",
) -> str:
    """Return an item. An empty ``guid``, ``link`` or ``date`` leaves the element out."""
    parts = {
        "guid": f"tag:{number}" if guid is None else guid,
        "link": f"http://pages.invalid/{number}" if link is None else link,
        "title": title or f"Headline {number}",
        "description": text or f"The text of {number}.",
        "pubDate": date,
    }
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value) + "</item>"


@dataclass(slots=True)
class Watch:
    """The pipeline, and the press that it watches."""

    folder: Path
    network: Network = field(default_factory=lambda: Network(allow_private=(PUBLISHERS,), per_host_gap=timedelta(0)))
    polling: Polling = field(default_factory=lambda: Polling(first_poll="all"))
    feeds: tuple[Feed, ...] = ()
    topics: tuple[Topic, ...] = ()
    #: A random number for every spread.
    jitter: float = 0.0
    p: Pipeline = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)
    _receiver: FileChannel = field(init=False)

    def start(self, *configured: Feed, now: datetime = NOON, **polling: Any) -> None:
        """Begin to watch these feeds, full-text unless they say otherwise; ``polling`` changes the rhythm."""
        self.feeds = configured or self.feeds
        self.polling = replace(self.polling, **polling)
        self.topics = self.topics or (topic(any=("missile",)),)
        ledger = open_file(self.folder / "ledger.sqlite", durable=False)
        self._stack.callback(ledger.close)
        self.p = self._pipeline(ledger)
        with ledger.write() as t:
            feeds.sync(t, self.feeds, now=now)

    def _pipeline(self, ledger: Ledger) -> Pipeline:
        gates = LocalGates(self.network)
        web = LiveWeb(self.network, user_agent=AGENT, gates=gates)
        self._stack.callback(web.close)
        self._receiver = FileChannel("screen", self.folder / "alerts.jsonl")
        return Pipeline(
            feeds={f.id: f for f in self.feeds},
            topics={one.id: one for one in self.topics},
            matcher=compile_topics(self.topics),
            rarity=RARITY,
            routes=(Route(channels=("screen",)),),
            policy=Policy(group_wait=timedelta(0)),
            polling=self.polling,
            ledger=ledger,
            web=web,
            channels={"screen": self._receiver},
            jitter=lambda: self.jitter,
            gates=gates,
        )

    def restart(self, *configured: Feed, now: datetime) -> None:
        """Stop, and start again on the same ledger."""
        self.close()
        self.start(*configured, now=now)

    def close(self) -> None:
        """Stop."""
        self._stack.close()

    def poll(self, now: datetime = NOON) -> list[Outcome]:
        """Run the poll stage until nothing more is due."""
        return _all(lambda: poll.run(self.p, now=now))

    def work(self, now: datetime = NOON) -> list[Outcome]:
        """Poll, read and deliver all that is due."""
        return [*self.poll(now), *_all(lambda: read.run(self.p, now=now)), *_all(lambda: deliver.run(self.p, now=now))]

    def told(self) -> list[dict[str, Any]]:
        """Return the alerts that have arrived."""
        path = self._receiver.path
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def state(self, feed_id: str = "wire") -> FeedState:
        """Return what the ledger knows of a feed."""
        with self.p.ledger.read() as t:
            return feeds.states(t)[feed_id]

    def next_poll(self, feed_id: str = "wire") -> datetime:
        """Return when a feed is due."""
        due = self.state(feed_id).next_poll_at
        assert due is not None, f"feed {feed_id} was stopped: {self.state(feed_id)}"
        return due


def _all(run: Any) -> list[Outcome]:
    found: list[Outcome] = []
    for _ in range(100):
        outcomes = run()
        found += outcomes
        if not outcomes:
            return found
    raise AssertionError("the stage finds work for ever")


@pytest.fixture
def press() -> Iterator[Publisher]:
    """Give a publisher on a host of its own."""
    with publisher() as running:
        yield running


@pytest.fixture
def watch(tmp_path: Path, press: Publisher) -> Iterator[Watch]:
    """Give a pipeline that may ask the publishers' network on the publisher's port, and has no feed yet."""
    made = Watch(tmp_path)
    made.network = replace(made.network, allow_ports=(press.port,))
    yield made
    made.close()


def wire(press: Publisher, path: str = "/feed.xml", **changes: Any) -> Feed:
    """Return the feed of a publisher: every 10 minutes, with whole articles."""
    base: dict[str, Any] = {"id": "wire", "url": press.url(path), "outlet": "Wire", "full_text": True}
    return Feed(**base | changes)


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the reasons of outcomes."""
    return [outcome.reason.value for outcome in outcomes]
