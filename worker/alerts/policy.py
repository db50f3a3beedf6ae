"""Who is told, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts go to which channels. Empty conditions hold for everything; ``*`` is a wild card."""

    topics: tuple[str, ...] = ("*",)
    outlets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a story is told to a channel."""

    #: A first alert waits this long, so that articles arriving together are told together.
    group_wait: timedelta = timedelta(seconds=30)
    #: ``development``: developments are messages, reports are quiet updates; ``every``: both are messages;
    #: ``never``: the first alert only.
    follow_up: str = "development"
    #: Shortest time between two alerts of one topic and story on one channel.
    min_gap: timedelta = timedelta(minutes=30)
    #: Alerts per channel and hour; more wait. 0 means no limit.
    per_hour: int = 20
    #: ``22:00-07:00`` or ``22:00-07:00 Europe/Berlin``; empty means never. Urgent topics do not wait.
    quiet_hours: str = ""
    #: Reserved for "Stories and alerts": ``check`` says that it is not acted on yet.
    digest: str = ""
