"""The canary: an article of our own that goes the way of every other, so that it is seen when one no longer arrives.

A feed that nobody publishes shows a new entry every few minutes. It is polled, its page is read, matched and joined to
a story, and its alert is delivered to a channel that keeps nothing: by the same workers, over the same ledger. Only the
answers of its publisher are made here. Neither its topic sees other articles, nor do other topics see its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from worker.alerts.policy import Policy, Recipient
from worker.channels.base import Channel
from worker.channels.heartbeat import DEADLINE, Heartbeat
from worker.channels.null import NullChannel
from worker.errors import ConfigError, Problem, Unusable
from worker.model import CANARY, Article, Feed, Match, Topic
from worker.settings import Service, Settings
from worker.stages.pipeline import Matcher
from worker.web.network import Network
from worker.web.response import Response, Web

#: Reserved for what is nobody's (RFC 2606 section 2).
HOST: Final = "canary.invalid"
_FEED: Final = f"http://{HOST}/feed"
_WORD: Final = "wirewatchcanary"
_OK: Final = 200
#: Entries that the feed shows: so that one poll that comes late is no gap.
_SHOWN: Final = 3
_ONSETS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_PORTS: Final = {"http": 80, "https": 443}


def with_canary(settings: Settings) -> Settings:
    """Return the settings with the canary's feed and topic, when there is a heartbeat to feed; else as they are.

    Raises:
        ConfigError: something that is configured has the canary's name.
    """
    if not settings.service.heartbeat.url:
        return settings
    taken = {feed.id for feed in settings.feeds} | {topic.id for topic in settings.topics} | set(settings.channels)
    if CANARY in taken:
        message = f"the id {CANARY} is that of the canary, which feeds heartbeat.url; choose another"
        raise ConfigError(Problem(file="service.yaml", message=message))
    every = settings.service.heartbeat.every
    feed = Feed(id=CANARY, url=_FEED, outlet=CANARY, interval=every, language="en", conditional=False)
    topic = Topic(id=CANARY, topic=_WORD, any=(_WORD,), channels=(CANARY,), urgent=True)
    told = Recipient(id=CANARY, policy=Policy(group_wait=timedelta(0), min_gap=timedelta(0), per_hour=0))
    return replace(
        settings,
        feeds=(*settings.feeds, feed),
        topics=(*settings.topics, topic),
        recipients={**settings.recipients, CANARY: told},
    )


def channels_with_canary(settings: Settings, channels: Mapping[str, Channel]) -> dict[str, Channel]:
    """Return the channels with the one that the canary's alerts end in, when there is a canary."""
    return {**channels, CANARY: NullChannel(CANARY)} if settings.service.heartbeat.url else dict(channels)


def heartbeat(service: Service) -> Heartbeat:
    """Return what says that all is well; there must be an address of somebody who wants to hear it.

    Raises:
        ConfigError: the address cannot be asked.
    """
    from worker.web.connections import CheckedTransport  # noqa: PLC0415 - dear

    url = service.heartbeat.url
    place = urlsplit(url)
    # The operator's own choice, as channels are: a watchdog in the same house is a good one.
    network = Network(allow_private=True, allow_ports=(place.port or _PORTS[place.scheme],))
    return Heartbeat(url, transport=CheckedTransport(network, total=DEADLINE), user_agent=service.user_agent)


class CanaryWeb:
    """A web in which the canary's feed is published; everything else is left to ``web``."""

    def __init__(self, web: Web, *, every: timedelta) -> None:
        self._web, self._every = web, every

    def get(
        self,
        url: str,
        *,
        now: datetime,
        headers: Mapping[str, str],
        robots: bool = False,
        allow_private: bool | tuple[str, ...] | None = None,
    ) -> Response:
        """See ``worker.web.response.Web.get``."""
        if urlsplit(url).hostname != HOST:
            return self._web.get(url, now=now, headers=headers, robots=robots, allow_private=allow_private)
        if url == _FEED:
            return _answer(url, "application/rss+xml", document(now, every=self._every))
        return _answer(url, "text/html; charset=utf-8", page(_number(url)))


class CanaryMatcher:
    """A matcher in which the canary's topic and articles know nothing of the others."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def match(self, article: Article) -> Sequence[Match]:
        """See ``worker.stages.pipeline.Matcher.match``."""
        return _own(article, self._matcher.match(article))

    def judge(self, article: Article) -> Sequence[Match]:
        """See ``worker.stages.pipeline.Matcher.judge``."""
        return _own(article, self._matcher.judge(article))


def _own(article: Article, found: Sequence[Match]) -> list[Match]:
    return [match for match in found if (match.topic_id == CANARY) is (article.outlet == CANARY)]


def document(now: datetime, *, every: timedelta) -> bytes:
    """Return the feed as it is ``now``: a new entry every ``every``, and the ones before it."""
    newest = int(now.timestamp() // every.total_seconds())
    items = "".join(_item(number, number * every.total_seconds()) for number in range(newest, newest - _SHOWN, -1))
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>{CANARY}</title><link>http://{HOST}/</link><description>Proof that all is well.</description>"
        f"{items}</channel></rss>"
    ).encode()


def _item(number: int, at: float) -> str:
    published = format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)
    return (
        f"<item><title>{' '.join(_words(number, 4)).capitalize()}</title><link>http://{HOST}/{number}</link>"
        f'<guid isPermaLink="false">{number}</guid><pubDate>{published}</pubDate></item>'
    )


def page(number: int) -> bytes:
    """Return the page of an entry: words that no other article has, so that it is a story of its own."""
    words = _words(number, 244)
    title, told = " ".join(words[:4]).capitalize(), words[4:]
    sentences = [" ".join(told[at : at + 12]).capitalize() + "." for at in range(0, len(told), 12)]
    paragraphs = "".join(f"<p>{' '.join(sentences[at : at + 4])}</p>" for at in range(0, len(sentences), 4))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body><article>'
        f"<h1>{title}</h1><p>{_WORD.capitalize()} {' '.join(told[:8])}.</p>{paragraphs}</article></body></html>"
    ).encode()


def _words(number: int, count: int) -> list[str]:
    """Return words that look like words and belong to one number alone."""
    found, block = [], b""
    for place in range(count):
        if place % 4 == 0:
            block = hashlib.sha256(f"{number}:{place}".encode()).digest()
        part = block[place % 4 * 8 : place % 4 * 8 + 8]
        pairs = zip(part[::2], part[1::2], strict=True)
        found.append("".join(_ONSETS[a % len(_ONSETS)] + _VOWELS[b % len(_VOWELS)] for a, b in pairs))
    return found


def _number(url: str) -> int:
    name = urlsplit(url).path.removeprefix("/")
    if not name.isdecimal():
        raise Unusable(f"{url}: the canary has no such page")
    return int(name)


def _answer(url: str, kind: str, body: bytes) -> Response:
    return Response(status=_OK, url=url, headers={"content-type": kind}, body=body)
