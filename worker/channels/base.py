"""What a channel promises to the deliver stage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from worker.errors import WirewatchError
from worker.model import Message


class Doubtful(WirewatchError):  # noqa: N818 - named for what it says
    """The message may or may not have arrived: the answer was lost after the request was written."""


class Channel(Protocol):
    """A place that alerts are sent to."""

    id: str

    def send(self, message: Message, *, now: datetime) -> str | None:
        """Send ``message`` and return the receiver's own id for it, if it gives one.

        Raises:
            worker.errors.Retryable: it has surely not arrived and may be sent again later.
            worker.errors.Unusable: it can never be delivered.
            Doubtful: nobody knows whether it has arrived.
        """
        ...

    def has(self, alert_key: str) -> bool | None:
        """Return whether the receiver has the alert; ``None`` when this channel cannot be asked."""
        ...


def to_json(message: Message, *, now: datetime) -> dict[str, Any]:
    """Return a message as the object that ``replay --json`` and the file channel write, one line an alert."""
    alert, article = message.alert, message.article
    return {
        "kind": "alert",
        "alert": alert.key,
        "topic": alert.topic_id,
        "story": alert.story_id,
        "role": alert.role.value,
        "channel": alert.channel_id,
        "at": timestamp(now),
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
    }


def timestamp(at: datetime) -> str:
    """Return a UTC time as RFC 3339 writes it, to the second unless it has parts of one."""
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")
