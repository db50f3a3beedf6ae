"""The outbox: alerts, from the transaction that decided them to the last attempt to send them.

::

    open ──claim──> open, leased ──begin──> started ──> done      the channel has it
                                               │  └────> open      known not sent: tried again at due_at
                                               ├───────> dead      never deliverable: a dead letter
                                               └───────> unknown   may or may not have arrived, and nobody can tell

An alert that is started, with a lease that ran out, is in doubt: its worker died while the channel was called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, distinct, exists, func, insert, select, update

from worker.ledger.engine import Transaction
from worker.ledger.entries import evidence_from_json, evidence_to_json, get_article
from worker.ledger.inserts import insert_new
from worker.ledger.leases import LEASE, Claim, claim_rows, hold, write_back
from worker.ledger.tables import DONE, OPEN, UNKNOWN, alert, decision, delivery, member, story
from worker.model import Alert, Delivery, Message, Reason, Role


def add(t: Transaction, a: Alert) -> bool:
    """Record an alert as due; ``False`` when its key exists, which means that it was decided before."""
    values = {
        "key": a.key,
        "topic_id": a.topic_id,
        "story_id": a.story_id,
        "channel_id": a.channel_id,
        "role": a.role,
        "article_id": a.article_id,
        "score": a.score,
        "by": a.by,
        "clause": a.clause,
        "evidence": evidence_to_json(a.evidence),
        "reason": a.reason,
        "created_at": a.created_at,
        "work": OPEN,
        "due_at": a.due_at,
    }
    return insert_new(t, alert, values)


def add_decision(
    t: Transaction, *, article_id: str, topic_id: str, channel_id: str, reason: Reason, now: datetime
) -> None:
    """Record why an article was or was not told to a channel."""
    values = {
        "article_id": article_id,
        "topic_id": topic_id,
        "channel_id": channel_id,
        "reason": reason,
        "at": now,
    }
    insert_new(t, decision, values)


def told(t: Transaction, *, story_id: str, topic_id: str) -> list[tuple[Alert, bool]]:
    """Return the alerts of a topic about a story, oldest first, each with whether it still waits untouched."""
    rows = t.execute(
        select(alert).where(alert.c.story_id == story_id, alert.c.topic_id == topic_id).order_by(alert.c.id)
    )
    return [(_alert(row), _waits(row)) for row in rows]


def _waits(row: Row[Any]) -> bool:
    # A lease may already have read what to send; only an untouched alert will still take in more.
    return row.work == OPEN and row.lease_until is None and row.started_at is None


def due_times(t: Transaction, channel_id: str, *, since: datetime, roles: Sequence[Role]) -> list[datetime]:
    """Return when alerts of these roles were or are due on a channel, from ``since`` on, earliest first."""
    return list(
        t.execute(
            select(alert.c.due_at)
            .where(alert.c.channel_id == channel_id, alert.c.due_at >= since, alert.c.role.in_(roles))
            .order_by(alert.c.due_at)
        ).scalars()
    )


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[tuple[Alert, datetime | None]]]:
    """Return at most ``limit`` alerts that are due, claimed, each with the time it was started, if it was.

    An alert waits while an earlier one of the same topic, story and channel is open, so that an update never
    overtakes what it updates.
    """
    rows = claim_rows(t, alert, now=now, limit=limit, lease=LEASE, also=_first_of_line)
    return [
        Claim(id=row.id, token=row.lease_token, attempt=row.attempt, value=(_alert(row), row.started_at))
        for row in rows
    ]


def _first_of_line() -> ColumnElement[bool]:
    earlier = alert.alias("earlier")
    return ~exists().where(
        earlier.c.story_id == alert.c.story_id,
        earlier.c.topic_id == alert.c.topic_id,
        earlier.c.channel_id == alert.c.channel_id,
        earlier.c.work == OPEN,
        earlier.c.id < alert.c.id,
    )


def begin(t: Transaction, claimed: Claim[Any], *, now: datetime) -> None:
    """Write that the channel is about to be called, and renew the lease. Commit before calling it.

    The lease counts from here, since the last alert of a batch may begin long after the claim. One that ran out is
    renewed when nobody else has claimed the alert.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile, or it was given back.
    """
    hold(t, alert, claimed, started_at=now, lease_until=now + LEASE)


def release(t: Transaction, claims: Iterable[Claim[tuple[Alert, datetime | None]]]) -> None:
    """Give back claims that were not begun, without counting their attempt. Others are left alone."""
    for one in claims:
        started_at = one.value[1]
        same = alert.c.started_at.is_(None) if started_at is None else alert.c.started_at == started_at
        t.execute(
            update(alert)
            .where(alert.c.id == one.id, alert.c.lease_token == one.token, same)
            .values(attempt=max(one.attempt - 1, 0), lease_until=None, lease_token=None)
        )


def record(t: Transaction, claimed: Claim[Any], d: Delivery, *, due_at: datetime | None = None) -> None:
    """Write how an attempt ended. ``Reason.RETRY`` needs ``due_at``; ``Reason.DEAD`` is for ``dead.bury``.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile.
    """
    add_delivery(t, d)
    if d.outcome is Reason.DELIVERED:
        write_back(t, alert, claimed, work=DONE, sent_at=d.at, remote_id=d.remote_id, last_error=None)
    elif d.outcome is Reason.UNKNOWN:
        write_back(t, alert, claimed, work=UNKNOWN, last_error=d.detail)
    else:
        write_back(t, alert, claimed, due_at=due_at, started_at=None, last_error=d.detail)


def add_delivery(t: Transaction, d: Delivery) -> None:
    """Add an attempt to the record of deliveries."""
    t.execute(
        insert(delivery).values(
            alert_key=d.alert_key,
            at=d.at,
            attempt=d.attempt,
            outcome=d.outcome,
            detail=d.detail,
            remote_id=d.remote_id,
        )
    )


def has_delivery(t: Transaction, d: Delivery) -> bool:
    """Return whether this attempt stands in the record of deliveries already."""
    same = (
        delivery.c.alert_key == d.alert_key,
        delivery.c.at == d.at,
        delivery.c.attempt == d.attempt,
        delivery.c.outcome == d.outcome,
    )
    return t.execute(select(delivery.c.id).where(*same).limit(1)).first() is not None


def message(t: Transaction, a: Alert, *, topic: str) -> Message | None:
    """Return all that a channel shows for an alert, as of now; ``None`` when its article is no longer kept."""
    article = get_article(t, a.article_id)
    if article is None:
        return None
    counts = t.execute(
        select(
            func.count(),
            func.count(distinct(member.c.outlet)),
            func.count(distinct(member.c.origin)),
        ).where(member.c.story_id == a.story_id)
    ).one()
    linked = t.execute(select(story.c.linked).where(story.c.id == a.story_id)).scalar()
    return Message(
        alert=a,
        article=article,
        topic=topic,
        articles=counts[0],
        outlets=counts[1],
        origins=counts[2],
        linked=linked,
    )


def find(t: Transaction, ref: str) -> Alert | None:
    """Return the alert whose key is ``ref`` or begins with it (at least eight characters)."""
    wanted = alert.c.key == ref
    if len(ref) >= 8:  # noqa: PLR2004 - see the docstring
        wanted = alert.c.key.startswith(ref, autoescape=True)
    row = t.execute(select(alert).where(wanted).limit(1)).one_or_none()
    return None if row is None else _alert(row)


def of_article(t: Transaction, article_id: str) -> list[dict[str, Any]]:
    """Return every decision about an article and, where one was made, its alert and how its delivery went."""
    rows = t.execute(
        select(
            decision,
            alert.c.key,
            alert.c.role,
            alert.c.work,
            alert.c.due_at,
            alert.c.sent_at,
            alert.c.last_error,
        )
        .outerjoin(
            alert,
            and_(
                alert.c.article_id == decision.c.article_id,
                alert.c.topic_id == decision.c.topic_id,
                alert.c.channel_id == decision.c.channel_id,
            ),
        )
        .where(decision.c.article_id == article_id)
        .order_by(decision.c.topic_id, decision.c.channel_id)
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        key=row.key,
        topic_id=row.topic_id,
        story_id=row.story_id,
        channel_id=row.channel_id,
        role=Role(row.role),
        article_id=row.article_id,
        score=row.score,
        by=row.by,
        evidence=evidence_from_json(row.evidence),
        clause=row.clause,
        created_at=row.created_at,
        due_at=row.due_at,
        reason=Reason(row.reason),
        attempt=row.attempt,
    )
