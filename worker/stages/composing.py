"""What is to be said of an alert: composed when it is first begun, from the ledger as it is then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from worker.alerts.quotes import quotes
from worker.alerts.silences import said, silenced_by
from worker.ledger import dead, decided, gathered, messages, shown, silences, stories
from worker.ledger.engine import Transaction
from worker.ledger.outbox import Due
from worker.model import Alert, Digest, Message, Notice, Outgoing, Reason, Role, Silence
from worker.stages.pipeline import Pipeline

#: Alerts that a digest shows; of more it says how many there are.
SHOWN: Final = 30
NOT_KEPT: Final = "its article is no longer kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """It is not to be told after all."""

    reason: Reason
    detail: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """It cannot be told any more."""

    detail: str


def compose(t: Transaction, p: Pipeline, due: Due, *, now: datetime) -> Outgoing | Off | Gone:
    """Return what to send for an alert: the same as before if it was begun before.

    What a silence that began meanwhile covers is off, and the decision is written down; of a digest those alerts that
    cannot be told any more are dead letters of their own.
    """
    alert = due.alert
    if due.shown is not None:
        return _still(t, shown.from_json(due.shown, alert), due, now=now)
    match alert.role:
        case Role.NOTICE:
            return Notice(alert=alert, at=now)
        case Role.DIGEST:
            return _digest(t, p, alert, now=now)
        case _:
            message = _message(t, p, alert, now=now)
            return _unless_silenced(t, message, silences.matching(t, now=now), now=now) if message else _gone()


def as_begun(t: Transaction, p: Pipeline, due: Due, *, now: datetime) -> Outgoing | None:
    """Return what was sent in an attempt that was begun; ``None`` when that cannot be told any more."""
    if due.shown is not None:
        return shown.from_json(due.shown, due.alert)
    return _message(t, p, due.alert, now=now) if due.alert.article_id else Notice(alert=due.alert, at=now)


def _gone() -> Gone:
    return Gone(detail=NOT_KEPT)


def _still(t: Transaction, outgoing: Outgoing, due: Due, *, now: datetime) -> Outgoing | Off:
    """Return what was to be sent before, unless it is silenced; the alerts of a digest are told once it is begun."""
    if not isinstance(outgoing, Message) or due.alert.role is Role.DIGEST:
        return outgoing
    return _unless_silenced(t, outgoing, silences.matching(t, now=now), now=now)


def _message(t: Transaction, p: Pipeline, alert: Alert, *, now: datetime) -> Message | None:
    # Since it was claimed, its story may have turned out to be another one.
    alert = replace(alert, story_id=stories.of_article(t, alert.article_id) or alert.story_id)
    topic = p.topics.get(alert.topic_id)
    message = messages.message(t, alert, topic=(topic.topic if topic else "") or alert.topic_id, now=now)
    if message is None:
        return None
    link = f"{p.console}/stories/{alert.story_id}" if p.console else ""
    # Without the text, as every later attempt: what all of them see is the same.
    article = replace(message.article, text="")
    return replace(message, article=article, quotes=quotes(message.article, alert.evidence), link=link)


def _unless_silenced(t: Transaction, message: Message, in_force: Sequence[Silence], *, now: datetime) -> Message | Off:
    alert = message.alert
    silence = silenced_by(
        in_force,
        topic_id=alert.topic_id,
        outlet=message.article.outlet,
        channel_id=alert.channel_id,
        story_id=alert.story_id,
    )
    if silence is None:
        return message
    detail = said(silence, now=now)
    decided.add_decision(
        t,
        article_id=alert.article_id,
        topic_id=alert.topic_id,
        channel_id=alert.channel_id,
        reason=Reason.SILENCED,
        detail=detail,
        alert_key=alert.key,
        now=now,
    )
    return Off(reason=Reason.SILENCED, detail=detail)


def _digest(t: Transaction, p: Pipeline, alert: Alert, *, now: datetime) -> Outgoing | Off:
    """Return a digest of what is gathered in it; of a single alert its own message, under the key of the digest."""
    in_force = silences.matching(t, now=now)
    told: list[Message] = []
    keys: list[str] = []
    for item in gathered.items(t, alert.key):
        if len(told) == SHOWN and not in_force:
            keys.append(item.key)  # there may be thousands
            continue
        message = _message(t, p, item, now=now)
        if message is None:
            dead.bury_item(t, item.key, reason=NOT_KEPT, now=now)
            continue
        match _unless_silenced(t, message, in_force, now=now):
            case Off() as off:
                gathered.turn_off(t, item.key, why=str(off))
            case Message() as one:
                keys.append(item.key)
                told += [one] if len(told) < SHOWN else []
    gathered.include(t, keys, now=now)
    if not keys:
        return Off(reason=Reason.WITHDRAWN, detail="nothing is left to tell in it")
    if len(keys) == 1:
        own = replace(told[0].alert, key=alert.key, attempt=alert.attempt, repeat=alert.repeat)
        return replace(told[0], alert=own)
    return Digest(alert=alert, items=tuple(told), more=len(keys) - len(told), at=now)
