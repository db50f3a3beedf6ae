"""Dead letters: work that was given up, kept to be shown, and given back when a person says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from worker.ledger import tallies
from worker.ledger.engine import Transaction
from worker.ledger.entries import reopen
from worker.ledger.leases import Claim, write_back
from worker.ledger.tables import DEAD, GATHERED, OPEN, UNKNOWN, alert, dead, entry
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
    _add(t, kind=kind, ref=claimed.id, subject=subject, reason=reason, attempts=claimed.attempt, now=now)


def bury_item(t: Transaction, key: str, *, reason: str, now: datetime) -> None:
    """Give up an alert that a digest was to tell, and that nobody has claimed by itself."""
    gathered = (alert.c.key == key) & (alert.c.work == GATHERED)
    given_up = update(alert).where(gathered).values(work=DEAD, last_error=reason).returning(alert.c.id)
    for row in t.execute(given_up):
        _add(t, kind="alert", ref=row.id, subject=key, reason=reason, attempts=0, now=now)


def _add(t: Transaction, *, kind: str, ref: int, subject: str, reason: str, attempts: int, now: datetime) -> None:
    t.execute(insert(dead).values(kind=kind, ref=ref, reason=reason, subject=subject, attempts=attempts, dead_at=now))
    tallies.count(t, tallies.DEAD_LETTERS, kind, now=now)


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


def of_alert(t: Transaction, alert_id: int) -> DeadLetter | None:
    """Return the newest dead letter of an alert."""
    mine = (dead.c.kind == "alert") & (dead.c.ref == alert_id)
    row = t.execute(select(dead).where(mine).order_by(dead.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _letter(row)


def redrive(t: Transaction, found: DeadLetter, *, now: datetime) -> bool:
    """Give the work of a dead letter back, from its first attempt; ``False`` when there is nothing to give back.

    A digest comes with the alerts that it tells.
    """
    if found.redriven_at is not None:
        return False
    back = reopen(t, found.ref, now=now) if found.kind == "entry" else _resend(t, found.ref, now=now)
    if back:
        t.execute(update(dead).where(dead.c.id == found.id).values(redriven_at=now))
        tallies.count(t, tallies.REVIVED, found.kind, now=now)
    return back


def _resend(t: Transaction, alert_id: int, *, now: datetime) -> bool:
    changed = t.execute(
        update(alert)
        .where(alert.c.id == alert_id, alert.c.work.in_((DEAD, UNKNOWN)))
        # One that could not be told in a digest is a message of its own now.
        .values(work=OPEN, due_at=now, attempt=0, started_at=None, lease_until=None, lease_token=None, digest=None)
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
