"""What a channel promises to the deliver stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from worker.errors import Retryable, WirewatchError
from worker.model import Digest, Message, Notice, Outgoing


class Doubtful(WirewatchError):  # noqa: N818 - named for what it says
    """The message may or may not have arrived: the answer was lost after the request was written."""


class Disabled(WirewatchError):  # noqa: N818 - named for what it says
    """The channel takes nothing until somebody mends it: a revoked token, an archived channel, 410 Gone.

    The alert has surely not arrived.
    """


class Busy(Retryable):
    """The channel as a whole asks to be left alone for ``after``: every alert for it waits. This one did not arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a receiver says of an alert that may have arrived."""

    #: ``None``: it cannot be asked, or gives no clear answer.
    arrived: bool | None
    #: The receiver's own id for the message, where it gives one.
    remote_id: str | None = None


#: The gap of a channel that takes messages as fast as they come.
NO_GAP: Final = timedelta(0)
#: The answer of a channel that cannot be asked.
NOBODY_KNOWS: Final = Found(arrived=None)


class Channel(Protocol):
    """A place that alerts are sent to. Threads may share it."""

    id: str

    @property
    def gap(self) -> timedelta:
        """The shortest time between two messages, whoever sends them; 0 where there is no such limit."""
        ...

    def send(self, message: Outgoing, *, now: datetime) -> str | None:
        """Send ``message`` and return the receiver's own id for it, if it gives one.

        Raises:
            worker.errors.Retryable: it has surely not arrived and may be sent again later.
            Busy: the same, and the whole channel wants to be left alone.
            worker.errors.Unusable: it can never be delivered.
            Disabled: nothing can, until somebody mends the channel.
            Doubtful: nobody knows whether it has arrived.
        """
        ...

    def find(self, message: Outgoing, *, since: datetime) -> Found:
        """Return whether the receiver has ``message``, which may have been sent to it from ``since`` on."""
        ...


def to_json(outgoing: Outgoing) -> dict[str, Any]:
    """Return what is sent as the object that ``replay --json`` and the file channel write, one line each."""
    match outgoing:
        case Message():
            return _message(outgoing)
        case Digest():
            return _head("digest", outgoing) | {
                "alerts": [_message(item) for item in outgoing.items],
                "more": outgoing.more,
            }
        case Notice():
            return _head("notice", outgoing) | {"text": outgoing.alert.clause}


def _head(kind: str, outgoing: Outgoing) -> dict[str, Any]:
    alert = outgoing.alert
    return {"kind": kind, "alert": alert.key, "channel": alert.channel_id, "at": timestamp(outgoing.at)}


def _message(message: Message) -> dict[str, Any]:
    alert, article = message.alert, message.article
    return {
        "kind": "alert",
        "alert": alert.key,
        "topic": alert.topic_id,
        "story": alert.story_id,
        "role": alert.role.value,
        "channel": alert.channel_id,
        "at": timestamp(message.at),
        "article": article.id,
        "title": article.title,
        "outlet": article.outlet,
        "url": article.url,
        "published_at": timestamp(article.published_at),
        "score": round(alert.score, 4),
        "by": alert.by,
        "clause": alert.clause,
        "evidence": [{"field": e.field, "start": e.start, "end": e.end, "text": e.text} for e in alert.evidence],
        "articles": message.articles,
        "outlets": message.outlets,
        "origins": message.origins,
        "linked": message.linked,
        "detail": alert.detail,
        "link": message.link,
        "repeat": alert.repeat,
    }


def timestamp(at: datetime) -> str:
    """Return a UTC time as RFC 3339 writes it, to the second unless it has parts of one."""
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")
