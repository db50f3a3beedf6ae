"""When feeds are polled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """The rhythm of polling and what a first poll means."""

    #: The interval follows what a feed publishes (``worker.feeds.rhythm``); otherwise it is the configured one.
    adaptive: bool = True
    #: No feed is asked sooner than the one or later than the other after a good answer, whatever its rhythm, its
    #: publisher or the jitter says; only ``Retry-After`` may ask for longer.
    min_interval: timedelta = timedelta(seconds=60)
    max_interval: timedelta = timedelta(hours=24)
    #: A permanent redirect is stored after this many identical answers.
    permanent_after: int = 3
    #: ``baseline``: what a feed holds at its first poll is known, not news; ``all``: it is news; a span: what was
    #: published within it is news.
    first_poll: str | timedelta = "baseline"
