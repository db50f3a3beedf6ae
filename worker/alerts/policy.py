"""Who is told, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    #: ``08:00`` or ``08:00 18:00 Europe/Berlin``: what is not urgent is told in one message at these times.
    digest: str = ""
    #: An alert that may or may not have arrived, where nobody can tell: ``hold`` shows it, ``resend`` sends it again
    #: and says that it may be a repeat.
    on_unknown: str = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A channel, as far as decisions about alerts ask."""

    id: str
    policy: Policy = field(default_factory=Policy)
    #: It can neither thread nor edit, so a story is one message, and what follows comes in digests.
    gathers: bool = False
    #: The channel that is told in its place while it is disabled; empty for none.
    fallback: str = ""
