"""Dead letters: work that was given up, kept to be shown, and given back when a person says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from worker.ledger.engine import Transaction
from worker.ledger.entries import reopen
from worker.ledger.leases import Claim, write_back
from worker.ledger.tables import DEAD, OPEN, UNKNOWN, alert, dead, entry
from worker.model import Reason

_TABLES = {"entry": entry, "alert": alert}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A piece of work that was given up."""

    id: int
    #: ``entry`` or ``alert``.
    kind: str
    ref: int
    reason: str
    #: The entry's address or the alert's key.
    subject: str
    attempts: int
    dead_at: datetime
    redriven_at: datetime | None


def bury(t: Transaction, claimed: Claim[Any], *, kind: str, subject: str, reason: str, now: datetime) -> None:
    """Give up a claimed entry or alert.

    Raises:
        LeaseLost: another worker has claimed it meanwhile.
    """
    values = {"work": DEAD, "last_error": reason}
    if kind == "entry":
        values["reason"] = Reason.DEAD
    write_back(t, _TABLES[kind], claimed, **values)
    t.execute(
        insert(dead).values(
            kind=kind, ref=claimed.id, reason=reason, subject=subject, attempts=claimed.attempt, dead_at=now
        )
    )


def letters(t: Transaction, *, everything: bool = False) -> list[DeadLetter]:
    """Return the dead letters, oldest first; those given back already only with ``everything``."""
    query = select(dead).order_by(dead.c.id)
    if not everything:
        query = query.where(dead.c.redriven_at.is_(None))
    return [_letter(row) for row in t.execute(query)]


def letter(t: Transaction, letter_id: int) -> DeadLetter | None:
    """Return one dead letter."""
    row = t.execute(select(dead).where(dead.c.id == letter_id)).one_or_none()
    return None if row is None else _letter(row)


def redrive(t: Transaction, found: DeadLetter, *, now: datetime) -> bool:
    """Give the work of a dead letter back, from its first attempt; ``False`` when there is nothing to give back."""
    if found.redriven_at is not None:
        return False
    back = reopen(t, found.ref, now=now) if found.kind == "entry" else _resend(t, found.ref, now=now)
    if back:
        t.execute(update(dead).where(dead.c.id == found.id).values(redriven_at=now))
    return back


def _resend(t: Transaction, alert_id: int, *, now: datetime) -> bool:
    changed = t.execute(
        update(alert)
        .where(alert.c.id == alert_id, alert.c.work.in_((DEAD, UNKNOWN)))
        .values(work=OPEN, due_at=now, attempt=0, started_at=None, lease_until=None, lease_token=None)
    )
    return changed.rowcount == 1


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        kind=row.kind,
        ref=row.ref,
        reason=row.reason,
        subject=row.subject,
        attempts=row.attempts,
        dead_at=row.dead_at,
        redriven_at=row.redriven_at,
    )
