"""Progress: when each part of the service has last come round, told by itself. Health is read off it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from worker.ledger.engine import Transaction
from worker.ledger.inserts import insert_into
from worker.ledger.tables import progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """When a part of the service has last come round, and what it has said of it."""

    at: datetime
    detail: str


def note(t: Transaction, name: str, *, now: datetime, detail: str = "") -> None:
    """Write that the part ``name`` has come round ``now``, over what it had said before."""
    values = {"at": now, "detail": detail}
    insertion = insert_into(t, progress).values(name=name, **values)
    t.execute(insertion.on_conflict_do_update(index_elements=[progress.c.name], set_=values))


def read(t: Transaction) -> dict[str, Progress]:
    """Return what each part has said last, by name."""
    return {row.name: Progress(at=row.at, detail=row.detail) for row in t.execute(select(progress))}
