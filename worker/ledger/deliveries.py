"""Deliveries as people ask for them: what was sent or is to be, how every attempt ended, and sending it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, func, select, update

from worker.ledger import dead as dead_letters
from worker.ledger.alert_rows import alert_from_row
from worker.ledger.dead import DeadLetter
from worker.ledger.engine import Transaction
from worker.ledger.tables import DEAD, DONE, GATHERED, OFF, OPEN, UNKNOWN, alert, article, delivery
from worker.model import Alert, Delivery, Reason

#: States by the words that people use for them.
STATES: Final[Mapping[str, str]] = {
    "open": OPEN,
    "delivered": DONE,
    "unknown": UNKNOWN,
    "dead": DEAD,
    "off": OFF,
    "gathered": GATHERED,
}
_WORDS: Final = {work: word for word, work in STATES.items()}
#: Characters of a key's beginning that stand for the key.
SHORTEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert, and how far it has come."""

    id: int
    alert: Alert
    #: One of ``STATES``.
    state: str
    #: Of its article; empty when that is no longer kept, or there is none.
    title: str
    sent_at: datetime | None
    #: What stands in its way, or why it is not told.
    error: str
    #: What was sent: see ``worker.ledger.shown``. Only of one that was asked for by its key.
    shown: Mapping[str, Any] | None = None
    #: Its last attempt.
    last: Delivery | None = None


def told(
    t: Transaction,
    *,
    state: str | None = None,
    channel: str | None = None,
    topic: str | None = None,
    story: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Told]:
    """Return alerts, newest first: those in a state, of a channel, topic or story, decided ``since`` a time."""
    c = alert.c
    asked = ((c.work, state and STATES[state]), (c.channel_id, channel), (c.topic_id, topic), (c.story_id, story))
    wanted: list[ColumnElement[bool]] = [column == value for column, value in asked if value is not None]
    if since is not None:
        wanted.append(c.created_at >= since)
    # First which they are, then what they say: a channel may have a hundred thousand, and their rows are wide.
    chosen = select(c.id).where(*wanted).order_by(c.id.desc()).limit(limit).subquery()
    query = _query().join(chosen, chosen.c.id == c.id).order_by(c.id.desc())
    return [_told(row) for row in t.execute(query)]


def find(t: Transaction, ref: str) -> list[Told]:
    """Return the alerts whose key is ``ref`` or begins with it (``SHORTEST`` characters or more), and what was sent."""
    wanted = alert.c.key == ref
    if len(ref) >= SHORTEST:
        wanted = alert.c.key.startswith(ref, autoescape=True)
    return [_told(row, shown=row.shown) for row in t.execute(_query(alert.c.shown).where(wanted).order_by(alert.c.key))]


def attempts(t: Transaction, key: str) -> list[Delivery]:
    """Return every attempt to send an alert, earliest first."""
    rows = t.execute(select(delivery).where(delivery.c.alert_key == key).order_by(delivery.c.at, delivery.c.id))
    return [
        Delivery(
            alert_key=row.alert_key,
            at=row.at,
            attempt=row.attempt,
            outcome=Reason(row.outcome),
            detail=row.detail,
            remote_id=row.remote_id,
        )
        for row in rows
    ]


def items(t: Transaction, digest_key: str) -> list[Told]:
    """Return the alerts that a digest tells, or was to tell, earliest first."""
    query = _query().where(alert.c.digest == digest_key).order_by(alert.c.created_at, alert.c.id)
    return [_told(row) for row in t.execute(query)]


def letter(t: Transaction, one: Told) -> DeadLetter | None:
    """Return the dead letter of an alert, if it has one that was not given back."""
    found = dead_letters.of_alert(t, one.id)
    return found if found is not None and found.redriven_at is None else None


def redeliver(t: Transaction, one: Told, *, now: datetime, force: bool = False) -> str:
    """Have an alert sent again; return why it is not, in words, or nothing when it is.

    What may have arrived is sent as a possible repeat, after the channel was asked once more where it can be. What has
    arrived, or was turned off, is sent again only with ``force``. A dead one is given back by its letter.
    """
    if why := _cannot(one, force=force):
        return why
    if one.state == "dead" and (found := letter(t, one)) is not None:
        dead_letters.redrive(t, found, now=now)
        return ""
    arrived, doubtful = one.state == "delivered", one.state == "unknown"
    values: dict[str, Any] = {"work": OPEN, "due_at": now, "started_at": None, "reason": Reason.QUEUED}
    # An attempt after the first: channels that can be asked are asked before they are sent it.
    values |= {"attempt": 1 if doubtful else 0, "lease_until": None, "lease_token": None, "digest": None}
    if arrived or doubtful:
        values["repeat"] = True
    t.execute(update(alert).where(alert.c.id == one.id).values(**values))
    return ""


def _cannot(one: Told, *, force: bool) -> str:
    """Return why an alert is not sent again."""
    digest = one.alert.digest
    if one.state == "open":
        return "is on its way already"
    if digest is not None and one.state != "off":
        return f"is told in the digest {digest}; redeliver that"
    if not force and one.state == "delivered":
        return "has arrived; --force sends it again, as a possible repeat"
    if not force and one.state == "off":
        return f"was not told ({one.error}); --force tells it all the same"
    return ""


def _query(*more: Any) -> Select[Any]:  # noqa: ANN401 - columns
    last = select(func.max(delivery.c.id)).where(delivery.c.alert_key == alert.c.key).correlate(alert).scalar_subquery()
    columns: Sequence[Any] = [column for column in alert.c if column.name != "shown"]
    ended = [delivery.c[name].label(f"last_{name}") for name in ("at", "attempt", "outcome", "detail", "remote_id")]
    return (
        select(*columns, *more, article.c.title, *ended)
        .outerjoin(article, article.c.id == alert.c.article_id)
        .outerjoin(delivery, delivery.c.id == last)
    )


def _told(row: Row[Any], *, shown: Mapping[str, Any] | None = None) -> Told:
    return Told(
        id=row.id,
        alert=alert_from_row(row),
        state=_WORDS[row.work],
        title=row.title or "",
        sent_at=row.sent_at,
        error=row.last_error or "",
        shown=shown,
        last=_last(row),
    )


def _last(row: Row[Any]) -> Delivery | None:
    if row.last_at is None:
        return None
    return Delivery(
        alert_key=row.key,
        at=row.last_at,
        attempt=row.last_attempt,
        outcome=Reason(row.last_outcome),
        detail=row.last_detail,
        remote_id=row.last_remote_id,
    )
