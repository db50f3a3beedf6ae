"""A pipeline over a web that answers as it is told, for tests of the stages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, feed, topic
from worker.alerts.policy import Policy, Route
from worker.channels.file import FileChannel
from worker.errors import WirewatchError
from worker.feeds.polling import Polling
from worker.ledger import feeds
from worker.ledger.engine import Ledger, open_file
from worker.model import Feed, Topic
from worker.stages import deliver, poll, read
from worker.stages.pipeline import Outcome, Pipeline
from worker.stories import rarity
from worker.topics import compile_topics
from worker.web.response import Response

FEED_URL = "https://wire.example/feed.xml"
#: The table that ships: nothing changes it.
RARITY = rarity.load()


@dataclass(slots=True)
class ScriptedWeb:
    """A web of given answers; an error in the place of an answer is raised. Unknown addresses are not found."""

    answers: dict[str, Response | WirewatchError] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def get(
        self,
        url: str,
        *,
        now: datetime,  # noqa: ARG002 - Web's signature
        headers: Mapping[str, str],
        robots: bool = False,  # noqa: ARG002
        allow_private: bool | tuple[str, ...] | None = None,  # noqa: ARG002
    ) -> Response:
        """Return what was given for ``url``."""
        self.asked.append((url, headers))
        answer = self.answers.get(url, Response(status=404, url=url))
        if isinstance(answer, WirewatchError):
            raise answer
        return answer

    def page(self, url: str, html: str, **changes: Any) -> None:
        """Answer ``url`` with a page."""
        self.answers[url] = Response(
            status=200, url=url, headers={"content-type": "text/html; charset=utf-8"}, body=html.encode(), **changes
        )

    def feed(self, *items: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer the feed's address with an RSS document of these items."""
        body = f'<rss version="2.0"><channel><title>Wire</title>{"".join(items)}</channel></rss>'
        self.answers[FEED_URL] = Response(status=200, url=FEED_URL, headers=headers or {}, body=body.encode())


def item(number: int, title: str = "", summary: str = "") -> str:
    """Return an RSS item."""
    return (
        f"<item><guid>https://wire.example/{number}</guid><link>https://wire.example/{number}</link>"
        f"<title>{title or f'Headline {number}'}</title><description>{summary}</description>"
        f"<pubDate>Wed, 11 Feb 2026 11:{number:02}:00 GMT</pubDate></item>"
    )


@dataclass(slots=True)
class House:
    """A pipeline with its web and its receiver, and the stages to call."""

    p: Pipeline
    web: ScriptedWeb
    receiver: FileChannel

    def poll(self, now: datetime) -> list[Outcome]:
        """Run the poll stage."""
        return poll.run(self.p, now=now)

    def read(self, now: datetime) -> list[Outcome]:
        """Run the read stage."""
        return read.run(self.p, now=now)

    def deliver(self, now: datetime) -> list[Outcome]:
        """Run the deliver stage."""
        return deliver.run(self.p, now=now)

    def told(self) -> list[dict[str, Any]]:
        """Return what the receiver holds."""
        if not self.receiver.path.exists():
            return []
        return [json.loads(line) for line in self.receiver.path.read_text().splitlines()]

    def change(self, **parts: Any) -> None:
        """Replace parts of the pipeline."""
        self.p = replace(self.p, **parts)

    def watch(self, *topics: Topic) -> None:
        """Watch for these topics in place of the usual one."""
        self.change(topics={t.id: t for t in topics}, matcher=compile_topics(topics))

    def feeds(self, *configured: Feed, now: datetime = NOON) -> None:
        """Poll these feeds in place of the usual one."""
        self.change(feeds={f.id: f for f in configured})
        with self.p.ledger.write() as t:
            feeds.sync(t, configured, now=now)


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Give a pipeline with one feed, one topic ("missile") and one channel, whose first poll is news."""
    ledger: Ledger = (
        open_file(tmp_path / "ledger.sqlite", durable=False)
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_ledger")
    )
    receiver = FileChannel("screen", tmp_path / "alerts.jsonl")
    watched = topic()
    web = ScriptedWeb()
    p = Pipeline(
        feeds={},
        topics={watched.id: watched},
        matcher=compile_topics([watched]),
        rarity=RARITY,
        routes=(Route(channels=("screen",)),),
        policy=Policy(),
        polling=Polling(first_poll="all"),
        ledger=ledger,
        web=web,
        channels={"screen": receiver},
        jitter=lambda: 0.0,
    )
    made = House(p=p, web=web, receiver=receiver)
    made.feeds(feed())
    yield made
    if request.param == "sqlite":
        ledger.close()
