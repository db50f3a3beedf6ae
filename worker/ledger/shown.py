"""What was first sent, as JSON: later attempts say the same, whatever has changed in the meantime.

A receiver that knows the key of a message may refuse another body under it
(draft-ietf-httpapi-idempotency-key-header-07, section 2.7: 422). So the whole message is kept, and only what belongs to
an attempt (its number, and that it may be a repeat) is that of now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from worker.ledger.entries import evidence_from_json
from worker.model import Alert, Article, Digest, Message, Notice, Outgoing, Quote, Reason, Role

_MESSAGE, _DIGEST, _NOTICE = "message", "digest", "notice"
_ALERT_TIMES = ("created_at", "due_at")


def to_json(outgoing: Outgoing, *, through: str) -> dict[str, Any]:
    """Return ``outgoing`` as JSON, without the texts of articles; ``through`` is the channel that it is sent to."""
    match outgoing:
        case Message():
            return {"kind": _MESSAGE, "through": through} | _message_to_json(outgoing)
        case Digest():
            return {
                "kind": _DIGEST,
                "through": through,
                "alert": _alert_to_json(outgoing.alert),
                "items": [_message_to_json(item) for item in outgoing.items],
                "more": outgoing.more,
                "at": outgoing.at.isoformat(),
            }
        case Notice():
            alert = _alert_to_json(outgoing.alert)
            return {"kind": _NOTICE, "through": through, "alert": alert, "at": outgoing.at.isoformat()}


def from_json(data: Mapping[str, Any], a: Alert) -> Outgoing:
    """Return what was sent of the alert ``a``, for its present attempt."""
    alert = replace(_alert_from_json(data["alert"]), attempt=a.attempt, repeat=a.repeat)
    at = datetime.fromisoformat(data["at"])
    if data["kind"] == _MESSAGE:
        return replace(_message_from_json(data), alert=alert)
    if data["kind"] == _DIGEST:
        return Digest(alert=alert, items=tuple(map(_message_from_json, data["items"])), more=data["more"], at=at)
    return Notice(alert=alert, at=at)


def through(data: Mapping[str, Any]) -> str:
    """Return the channel that it was sent to last."""
    return str(data["through"])


def _message_to_json(message: Message) -> dict[str, Any]:
    return {
        "alert": _alert_to_json(message.alert),
        "article": _article_to_json(message.article),
        "topic": message.topic,
        "quotes": [asdict(quote) for quote in message.quotes],
        "at": message.at.isoformat(),
        "articles": message.articles,
        "outlets": message.outlets,
        "origins": message.origins,
        "newest_at": message.newest_at and message.newest_at.isoformat(),
        "linked": message.linked,
        "linked_at": message.linked_at and message.linked_at.isoformat(),
        "thread": message.thread,
        "link": message.link,
    }


def _message_from_json(data: Mapping[str, Any]) -> Message:
    return Message(
        alert=_alert_from_json(data["alert"]),
        article=_article_from_json(data["article"]),
        topic=data["topic"],
        quotes=tuple(Quote(**quote) for quote in data["quotes"]),
        at=datetime.fromisoformat(data["at"]),
        articles=data["articles"],
        outlets=data["outlets"],
        origins=data["origins"],
        newest_at=_time(data["newest_at"]),
        linked=data["linked"],
        linked_at=_time(data["linked_at"]),
        thread=data["thread"],
        link=data["link"],
    )


def _alert_to_json(a: Alert) -> dict[str, Any]:
    values = asdict(a)
    return values | {name: values[name].isoformat() for name in _ALERT_TIMES}


def _alert_from_json(data: Mapping[str, Any]) -> Alert:
    values = dict(data)
    values |= {name: datetime.fromisoformat(values[name]) for name in _ALERT_TIMES}
    values |= {"role": Role(values["role"]), "reason": Reason(values["reason"])}
    return Alert(**values | {"evidence": evidence_from_json(values["evidence"])})


def _article_to_json(article: Article) -> dict[str, Any]:
    return asdict(replace(article, text="")) | {"published_at": article.published_at.isoformat()}


def _article_from_json(data: Mapping[str, Any]) -> Article:
    published_at = datetime.fromisoformat(data["published_at"])
    return Article(**dict(data) | {"published_at": published_at, "source": Reason(data["source"])})


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
