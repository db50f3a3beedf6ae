"""What the metrics are made of: read off the ledger in one transaction, with what only others know beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from worker.feeds import rhythm
from worker.feeds.polling import Polling
from worker.ledger import canary, channels, gauges, overview, progress, tallies
from worker.ledger.engine import Ledger, Transaction
from worker.ledger.gauges import FeedGauge
from worker.ledger.progress import Progress
from worker.ledger.tallies import Histogram
from worker.model import Alarm
from worker.settings import Settings

#: The histograms of the tallies.
HISTOGRAMS: Final = (tallies.PUBLISH_TO_ALERT, tallies.DETECT_TO_DELIVERY)
_ALARMS_KEPT: Final = 30.0


class Outside(Protocol):
    """What is asked of others than the ledger, and what they make of it: ``worker.live.outside``."""

    def broker(self) -> tuple[bool, Mapping[str, int]] | None:
        """Return whether the broker answers, and how many messages wait by queue; ``None`` when there is no asking."""
        ...

    def ready(self, seen: Mapping[str, Progress], queues: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
        """Return whether the service does its work, by what the ledger says of its parts and queues."""
        ...

    def alarms(self, t: Transaction, settings: Settings, now: datetime) -> Sequence[Alarm]:
        """Return what is odd although nothing has failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """How a configured feed does."""

    id: str
    state: str
    failures: float
    last_success_at: datetime | None
    next_poll_at: datetime | None
    #: Its own rhythm: what is waited between two good polls.
    interval: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All that the metrics say, of one moment."""

    #: By the ledger's clock.
    at: datetime
    settings: Settings
    ready: bool
    #: ``None`` when nobody has asked it.
    broker_up: bool | None
    #: Messages in the broker that nobody has taken, by queue.
    messages: Mapping[str, int]
    alarms: Sequence[Alarm]
    feeds: Sequence[FeedReading]
    #: See ``worker.ledger.overview.queues``.
    queues: Mapping[str, Mapping[str, Any]]
    #: Seconds, by channel.
    pending: Mapping[str, float]
    #: Channels that take nothing until somebody mends them.
    disabled: frozenset[str]
    last_matches: Mapping[str, datetime]
    dead_letters: Mapping[str, int]
    progress: Mapping[str, Progress]
    #: When the canary has last come through.
    canary_at: datetime | None
    generation: int
    taken_at: datetime | None
    #: See ``worker.ledger.tallies.totals``.
    totals: Mapping[tuple[str, tuple[str, ...]], float]
    histograms: Mapping[str, Histogram]
    #: How long the reading took.
    seconds: float


class Reader:
    """Takes readings. What changes slowly and is dear to find, the alarms, is looked for once in ``keep`` seconds."""

    def __init__(self, outside: Outside, *, keep: float = _ALARMS_KEPT) -> None:
        self._outside, self._keep = outside, keep
        self._found_at = float("-inf")
        self._alarms: Sequence[Alarm] = ()

    def take(self, ledger: Ledger, settings: Settings) -> Readings:
        """Return the readings of this moment.

        Raises:
            worker.errors.LedgerError: the ledger cannot be read.
        """
        began = time.monotonic()
        broker = self._outside.broker()
        now = ledger.clock()
        with ledger.read() as t:
            generation, taken_at = gauges.configuration(t)
            queues, seen = overview.queues(t, now=now), progress.read(t)
            return Readings(
                at=now,
                settings=settings,
                ready=self._outside.ready(seen, queues, now),
                broker_up=None if broker is None else broker[0],
                messages={} if broker is None else broker[1],
                alarms=self._alarms_now(t, settings, now),
                feeds=_feeds(t, settings, now),
                queues=queues,
                pending=gauges.pending(t, now=now),
                disabled=frozenset(name for name, state in channels.states(t).items() if state.disabled),
                last_matches=gauges.last_matches(t, [topic.id for topic in settings.topics]),
                dead_letters=gauges.dead_letters(t),
                progress=seen,
                canary_at=canary.arrived_at(t),
                generation=generation,
                taken_at=taken_at,
                totals=tallies.totals(t),
                histograms={name: tallies.histogram(t, name) for name in HISTOGRAMS},
                seconds=time.monotonic() - began,
            )

    def _alarms_now(self, t: Transaction, settings: Settings, now: datetime) -> Sequence[Alarm]:
        if time.monotonic() - self._found_at >= self._keep:
            self._alarms, self._found_at = self._outside.alarms(t, settings, now), time.monotonic()
        return self._alarms


def _feeds(t: Transaction, settings: Settings, now: datetime) -> list[FeedReading]:
    wanted = {feed.id for feed in settings.feeds if feed.enabled}
    failing = gauges.rhythms(t)
    return [
        FeedReading(
            id=one.id,
            state=one.state,
            failures=one.failures,
            last_success_at=one.last_success_at,
            next_poll_at=one.next_poll_at,
            interval=_interval(one, failing.get(one.id), settings.service.polling, now),
        )
        for one in gauges.feeds(t)
        if one.id in wanted
    ]


def _interval(one: FeedGauge, learned: Mapping[str, Any] | None, polling: Polling, now: datetime) -> timedelta:
    """Return a feed's own rhythm: of one that fails not what it is made to wait, which grows with every failure."""
    if learned is None:
        return one.interval
    own = rhythm.interval(learned, base=one.base, now=now) if polling.adaptive else one.base
    return min(max(own, polling.min_interval), polling.max_interval)
