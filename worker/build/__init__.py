"""From settings to a pipeline, live or replayed: the only place that knows all the parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from worker.channels.base import Channel
from worker.channels.config import ChannelConfig
from worker.channels.file import FileChannel
from worker.channels.terminal import TerminalChannel
from worker.errors import ConfigError, Problem
from worker.feeds.polling import Polling
from worker.ledger.engine import Ledger, open_file
from worker.model import Article, Feed, Match, Topic
from worker.settings import Service, Settings
from worker.stages.pipeline import Matcher, Pipeline, Readers
from worker.stories import rarity
from worker.topics import compile_topics
from worker.topics.meant import Meaning
from worker.web.gates import Gates, OpenGates
from worker.web.network import Network
from worker.web.response import Web

#: Ledgers in a state directory: the service's own, and that of replays, which never mix.
SERVICE_LEDGER = "ledger.sqlite"
REPLAY_LEDGER = "replay.sqlite"
_PORTS = {"http": 80, "https": 443}


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
    matcher: Matcher | None = None,
    gates: Gates | None = None,
    readers: Readers | None = None,
    generation: int | None = None,
) -> Pipeline:
    """Return the pipeline of ``settings`` over the given edges.

    ``feeds`` and ``polling`` stand in for those of the settings: a replay brings its own. ``meaning`` is what
    ``worker.build.meaning.open_meaning`` has opened; without it topics match by their rules alone. ``matcher`` stands
    in for both the topics and it. Without ``gates`` no host is spared, and without ``readers`` documents are read in
    this process. ``generation`` is that of the settings in the ledger, where they come from there.
    """
    polled = settings.feeds if feeds is None else feeds
    return Pipeline(
        feeds={feed.id: feed for feed in polled},
        topics={topic.id: topic for topic in settings.topics},
        matcher=matcher or compile_topics(settings.topics, meaning=meaning),
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
        recipients=settings.recipients,
        channel_versions={name: channel_version(config) for name, config in settings.channels.items()},
        console=settings.service.console.url,
        generation=generation,
    )


class LazyMatcher:
    """A matcher that is made when the first article comes: most processes of the service match none."""

    def __init__(self, make: Callable[[], Matcher]) -> None:
        self._make = make
        self._made: Matcher | None = None

    def match(self, article: Article) -> Sequence[Match]:
        """See ``worker.stages.pipeline.Matcher.match``."""
        return self._matcher().match(article)

    def judge(self, article: Article) -> Sequence[Match]:
        """See ``worker.stages.pipeline.Matcher.judge``."""
        return self._matcher().judge(article)

    def _matcher(self) -> Matcher:
        if self._made is None:
            self._made = self._make()
        return self._made


def channel_ids(settings: Settings, topics: Sequence[Topic]) -> tuple[str, ...]:
    """Return every channel that an alert may be addressed to, configured or only named."""
    named = [channel for topic in topics for channel in topic.channels]
    routed = [channel for route in settings.routes for channel in route.channels]
    return tuple(dict.fromkeys((*settings.channels, *routed, *named)))


def channel_version(config: ChannelConfig) -> str:
    """Return twelve hex digits that change with the type and the options of a channel, and tell nothing of them."""
    said = json.dumps([config.type, config.options], sort_keys=True, default=str)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def live_channels(settings: Settings, *, screen: TextIO) -> dict[str, Channel]:
    """Return the configured channels, ready to send.

    Raises:
        ConfigError: a channel is of a type that this version cannot send to.
    """
    user_agent = settings.service.user_agent
    return {config.id: _channel(config, screen, user_agent) for config in settings.channels.values()}


def _channel(config: ChannelConfig, screen: TextIO, user_agent: str) -> Channel:
    match config.type:
        case "terminal":
            return TerminalChannel(config.id, screen)
        case "file":
            return FileChannel(config.id, Path(str(config.options["path"])))
        case "webhook":
            return _webhook(config, user_agent)
        case "apprise":
            return _apprise(config)
        case "slack":
            return _slack(config, user_agent)
        case _:
            message = (
                f"channel {config.id}: sending to type {config.type} is not part of this version; "
                "use type webhook, file or terminal for now (replay shows what would be sent)"
            )
            raise ConfigError(Problem(file="alerts.yaml", message=message))


def _webhook(config: ChannelConfig, user_agent: str) -> Channel:
    from worker.channels.http import DEADLINE  # noqa: PLC0415 - dear
    from worker.channels.webhook import WebhookChannel  # noqa: PLC0415 - the same
    from worker.web.connections import CheckedTransport  # noqa: PLC0415 - the same

    options = config.options
    url, read_back = str(options["url"]), str(options.get("read_back", ""))
    # Where alerts go is the operator's own choice, so its ports are open; network.* is for feeds and pages.
    places = [urlsplit(address) for address in (url, read_back) if address]
    ports = tuple({place.port or _PORTS[place.scheme] for place in places})
    network = Network(allow_private=options.get("allow_private", False), allow_ports=ports)
    return WebhookChannel(
        config.id,
        url,
        transport=CheckedTransport(network, total=DEADLINE),
        secret=_texts(options.get("secret", "")),
        read_back=read_back,
        cloudevents=options.get("format") == "cloudevents",
        user_agent=user_agent,
    )


def _apprise(config: ChannelConfig) -> Channel:
    from worker.channels.apprise import AppriseChannel  # noqa: PLC0415 - an extra, and dear

    return AppriseChannel(config.id, _texts(config.options["url"]))


def _slack(config: ChannelConfig, user_agent: str) -> Channel:
    from worker.channels.http import DEADLINE  # noqa: PLC0415 - dear
    from worker.channels.slack import API, SlackChannel  # noqa: PLC0415 - the same
    from worker.channels.slack_hook import SlackHookChannel  # noqa: PLC0415 - the same
    from worker.web.connections import CheckedTransport  # noqa: PLC0415 - the same

    options = config.options
    hook, api = str(options.get("webhook_url", "")), str(options.get("api_url", API))
    place = urlsplit(hook or api)
    ports = (place.port or _PORTS[place.scheme],)
    network = Network(allow_private=options.get("allow_private", False), allow_ports=ports)
    transport = CheckedTransport(network, total=DEADLINE)
    if hook:
        return SlackHookChannel(config.id, hook, transport=transport, user_agent=user_agent)
    token, channel = str(options["token"]), str(options["channel"])
    return SlackChannel(config.id, token, channel, transport=transport, api=api, user_agent=user_agent)


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a key that takes one or several."""
    return tuple(str(each) for each in value) if isinstance(value, (list, tuple)) else (str(value),)


def open_ledger(service: Service, state: Path) -> Ledger:
    """Return the service's ledger, made when it does not exist: a file in ``state``, or a PostgreSQL database.

    Raises:
        worker.errors.LedgerError: it cannot be used, or does not answer.
    """
    if service.ledger == "sqlite":
        return open_file(state / SERVICE_LEDGER)
    return Ledger(service.ledger)


def ledger_exists(service: Service, state: Path) -> bool:
    """Return whether the service has a ledger; one on PostgreSQL is taken to be there."""
    return service.ledger != "sqlite" or (state / SERVICE_LEDGER).exists()


def open_replay_ledger(state: Path) -> Ledger:
    """Return the ledger of the replays in a state directory, made when it does not exist: always a file.

    Raises:
        worker.errors.LedgerError: it cannot be used.
    """
    return open_file(state / REPLAY_LEDGER, durable=False)
