"""The five seed articles told on Slack: a workspace on loopback that refuses what Slack does, on a virtual clock."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from worker import build
from worker.build.meaning import open_meaning
from worker.ledger import feeds
from worker.replay import recording, session
from worker.replay.loop import RUNNERS, play
from worker.replay.slack import TOKEN, Workspace
from worker.replay.slack_seen import seen
from worker.settings import Settings, load
from worker.stages.pipeline import Pipeline
from worker.topics import compile_topics

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "data" / "slack" / "seeds.json"
#: Set to write the file anew; read the difference before you keep it.
WRITE = "WIREWATCH_WRITE_DATA"
CHANNEL = "C0123ABCD"
ALERTS = """
channels:
  ops-slack:
    type: slack
    {destination}
    allow_private: ["127.0.0.0/8"]
routes: [{{topics: ["*"], channels: [ops-slack]}}]
"""


class Clock:
    """The virtual time, as the workspace reads it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def configured(folder: Path, destination: str) -> Settings:
    """Return the shipped configuration with one Slack channel in place of the terminal."""
    shutil.copytree(ROOT / "config", folder)
    (folder / "alerts.yaml").write_text(ALERTS.format(destination=destination))
    return load(folder, {}, required=True)


@contextmanager
def replayed(folder: Path, *, by_webhook: bool = False) -> Iterator[Workspace]:
    """Replay the seeds into a workspace and yield it."""
    recorded = recording.load(ROOT / "seeds")
    clock = Clock(recorded.start)
    with Workspace(now=clock) as space:
        bot = f"token: {TOKEN}\n    channel: {CHANNEL}\n    api_url: {space.api}"
        settings = configured(folder / "config", f"webhook_url: {space.hook}" if by_webhook else bot)
        with closing(build.open_replay_ledger(folder)) as ledger, ledger.write() as t:
            feeds.sync(t, recorded.feeds, now=recorded.start)
        with closing(build.open_replay_ledger(folder)) as ledger:
            web = recorded.web()
            meaning = open_meaning(settings.service, settings.topics, state=folder).meaning
            p = session.pipeline(
                recorded,
                settings,
                ledger=ledger,
                web=web,
                state=folder,
                heard=lambda _: None,
                matcher=compile_topics(settings.topics, meaning=meaning),
            )
            p = replace(p, channels=build.live_channels(settings, screen=io.StringIO()))

            def at(stage: str, p: Pipeline, now: datetime) -> Any:
                clock.now = now
                return RUNNERS[stage](p, now)

            runners = {name: (lambda p, now, name=name: at(name, p, now)) for name in RUNNERS}
            play(p, web, start=recorded.start, each=lambda _outcomes, _now: None, runners=runners)
        yield space


def told(space: Workspace) -> list[Mapping[str, Any]]:
    """Return what was posted and edited, in order: the method and its arguments."""
    sent = {"chat.postMessage", "chat.update", "hook"}
    return [{"method": call.method, **call.arguments} for call in space.calls if call.method in sent]


def held(sent: list[Mapping[str, Any]], name: str) -> object:
    """Return what the file holds of that name, which is ``sent`` when it is being written."""
    kept = json.loads(GOLDEN.read_text("utf-8")) if GOLDEN.exists() else {}
    if os.environ.get(WRITE):
        kept[name] = sent
        GOLDEN.write_text(json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return kept[name]


def test_the_seeds_are_two_threads(tmp_path: Path) -> None:
    """December is one message with two replies, February one with a reply that says what it follows."""
    with replayed(tmp_path) as space:
        december, february = space.parents()
        assert [len(space.thread(parent["ts"])) for parent in (december, february)] == [2, 1]
        assert "3 articles, 3 outlets" in seen(december).text
        assert "2 articles, 2 outlets" in seen(february).text
        assert "follows story" in seen(february).text
        for message in (december, february, *space.thread(december["ts"]), *space.thread(february["ts"])):
            assert seen(message).mentions == ()
        assert told(space) == held(told(space), "app")


def test_by_an_incoming_webhook_the_seeds_are_two_messages(tmp_path: Path) -> None:
    """It can neither thread nor edit: one message a story, and reports bring none."""
    with replayed(tmp_path, by_webhook=True) as space:
        assert len(space.parents()) == 2
        assert told(space) == held(told(space), "webhook")
