"""The outbox: alerts, from the transaction that decided them to the last attempt to send them.

::

    open ──claim──> open, leased ──begin──> started ──> done      the channel has it
                                               │  └────> open      known not sent: tried again at due_at
                                               ├───────> dead      never deliverable: a dead letter
                                               └───────> unknown   may or may not have arrived, and nobody can tell

An alert that is started, with a lease that ran out, is in doubt: its worker died while the channel was called.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, insert, select, update

from worker.ledger.alert_rows import alert_from_row
from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, Claim, claim_rows, hold, write_back
from worker.ledger.tables import DONE, OPEN, UNKNOWN, alert, delivery
from worker.model import Alert, Delivery, Reason


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[tuple[Alert, datetime | None]]]:
    """Return at most ``limit`` alerts that are due, claimed, each with the time it was started, if it was.

    An alert waits while an earlier one of the same topic, story and channel is open, so that an update never
    overtakes what it updates. Digests and notices belong to no story and wait for nobody.
    """
    rows = claim_rows(t, alert, now=now, limit=limit, lease=LEASE, also=_first_of_line)
    return [
        Claim(id=row.id, token=row.lease_token, attempt=row.attempt, value=(alert_from_row(row), row.started_at))
        for row in rows
    ]


def _first_of_line() -> ColumnElement[bool]:
    earlier = alert.alias("earlier")
    return (alert.c.story_id == "") | ~exists().where(
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


def find(t: Transaction, ref: str) -> Alert | None:
    """Return the alert whose key is ``ref`` or begins with it (at least eight characters)."""
    wanted = alert.c.key == ref
    if len(ref) >= 8:  # noqa: PLR2004 - see the docstring
        wanted = alert.c.key.startswith(ref, autoescape=True)
    row = t.execute(select(alert).where(wanted).limit(1)).one_or_none()
    return None if row is None else alert_from_row(row)
