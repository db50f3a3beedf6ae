"""Alerts that are told in a digest: what becomes of them with it.

::

    gathered ──the digest begins──> gathered, started ──the digest's end──> done | unknown
        └─────> off (turned off before), open (it came too late, and is told by itself)

An item that has ``started_at`` stands in the digest's message. The digest's row is locked when items are added to it,
and it is not to be claimed then; one that comes all the same, between two attempts, is not in the message and stays
without.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from worker.ledger.alert_rows import alert_from_row
from worker.ledger.engine import Transaction
from worker.ledger.tables import DONE, GATHERED, OFF, OPEN, UNKNOWN, alert
from worker.model import Alert, Delivery, Reason

#: SQLite knows 32,766 parameters in a statement at most (https://www.sqlite.org/limits.html).
_PORTION = 5_000


def items(t: Transaction, digest_key: str) -> list[Alert]:
    """Return the alerts that a digest is to tell, earliest first."""
    gathered = (alert.c.digest == digest_key) & (alert.c.work == GATHERED)
    rows = t.execute(select(alert).where(gathered).order_by(alert.c.created_at, alert.c.id))
    return [alert_from_row(row) for row in rows]


def include(t: Transaction, keys: Collection[str], *, now: datetime) -> None:
    """Note that these alerts stand in the message of their digest."""
    wanted = list(keys)
    for at in range(0, len(wanted), _PORTION):
        some = alert.c.key.in_(wanted[at : at + _PORTION])
        t.execute(update(alert).where(some, alert.c.work == GATHERED).values(started_at=now))


def turn_off(t: Transaction, key: str, *, why: str) -> None:
    """Take an alert out of its digest: it is not told after all."""
    t.execute(update(alert).where(alert.c.key == key, alert.c.work == GATHERED).values(work=OFF, last_error=why))


def ended(t: Transaction, digest_key: str, d: Delivery, *, remote_id: str | None, now: datetime) -> None:
    """Let the alerts of a digest end as its message has ended: delivered, or nobody knows.

    ``remote_id`` is what the receiver calls the message, where it tells of a single alert. What was gathered too late
    to stand in it becomes due by itself.
    """
    told = (alert.c.digest == digest_key) & alert.c.started_at.is_not(None)
    values: dict[str, Any]
    if d.outcome is Reason.DELIVERED:
        values = {"work": DONE, "sent_at": d.at, "remote_id": remote_id, "last_error": None}
        t.execute(update(alert).where(told, alert.c.work.in_((GATHERED, UNKNOWN))).values(**values))
    elif d.outcome is Reason.UNKNOWN:
        t.execute(update(alert).where(told, alert.c.work == GATHERED).values(work=UNKNOWN, last_error=d.detail))
    late = update(alert).where(alert.c.digest == digest_key, alert.c.work == GATHERED, alert.c.started_at.is_(None))
    t.execute(late.values(work=OPEN, digest=None, due_at=now))
