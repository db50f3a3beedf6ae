"""From settings to a pipeline, live or replayed: the only place that knows all the parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from worker.channels.base import Channel
from worker.channels.config import ChannelConfig
from worker.channels.file import FileChannel
from worker.channels.terminal import TerminalChannel
from worker.errors import ConfigError, Problem
from worker.feeds.polling import Polling
from worker.ledger.engine import Ledger, open_file
from worker.model import Feed, Topic
from worker.settings import Settings
from worker.stages.pipeline import Pipeline, Readers
from worker.stories import rarity
from worker.topics import compile_topics
from worker.topics.meant import Meaning
from worker.web.gates import Gates, OpenGates
from worker.web.response import Web

#: Ledgers in a state directory: the service's own, and that of replays, which never mix.
SERVICE_LEDGER = "ledger.sqlite"
REPLAY_LEDGER = "replay.sqlite"


def pipeline(
    settings: Settings,
    *,
    ledger: Ledger,
    web: Web,
    channels: Mapping[str, Channel],
    jitter: Callable[[], float],
    feeds: Sequence[Feed] | None = None,
    polling: Polling | None = None,
    meaning: Meaning | None = None,
    gates: Gates | None = None,
    readers: Readers | None = None,
) -> Pipeline:
    """Return the pipeline of ``settings`` over the given edges.

    ``feeds`` and ``polling`` stand in for those of the settings: a replay brings its own. ``meaning`` is what
    ``worker.build.meaning.open_meaning`` has opened; without it topics match by their rules alone. Without ``gates`` no
    host is spared, and without ``readers`` documents are read in this process.
    """
    polled = settings.feeds if feeds is None else feeds
    return Pipeline(
        feeds={feed.id: feed for feed in polled},
        topics={topic.id: topic for topic in settings.topics},
        matcher=compile_topics(settings.topics, meaning=meaning),
        rarity=rarity.load(),
        routes=settings.routes,
        policy=settings.policy,
        polling=polling or settings.service.polling,
        ledger=ledger,
        web=web,
        channels=channels,
        jitter=jitter,
        gates=OpenGates() if gates is None else gates,
        readers=readers or Readers(),
    )


def channel_ids(settings: Settings, topics: Sequence[Topic]) -> tuple[str, ...]:
    """Return every channel that an alert may be addressed to, configured or only named."""
    named = [channel for topic in topics for channel in topic.channels]
    routed = [channel for route in settings.routes for channel in route.channels]
    return tuple(dict.fromkeys((*settings.channels, *routed, *named)))


def live_channels(settings: Settings, *, screen: TextIO) -> dict[str, Channel]:
    """Return the configured channels, ready to send.

    Raises:
        ConfigError: a channel is of a type that this version cannot send to.
    """
    return {config.id: _channel(config, screen) for config in settings.channels.values()}


def _channel(config: ChannelConfig, screen: TextIO) -> Channel:
    match config.type:
        case "terminal":
            return TerminalChannel(config.id, screen)
        case "file":
            return FileChannel(config.id, Path(str(config.options["path"])))
        case _:
            message = (
                f"channel {config.id}: sending to type {config.type} is not part of this version; "
                "use type terminal or file for now (replay shows what would be sent)"
            )
            raise ConfigError(Problem(file="alerts.yaml", message=message))


def open_ledger(state: Path, name: str = SERVICE_LEDGER) -> Ledger:
    """Return a ledger of a state directory, made when it does not exist.

    Raises:
        worker.errors.LedgerError: it cannot be used.
    """
    return open_file(state / name, durable=name == SERVICE_LEDGER)
