"""What is known of the lengths of the texts that hosts give, by host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp
from typing import Final

from sqlalchemy import delete, select

from worker.ledger.engine import Transaction
from worker.ledger.inserts import insert_into
from worker.ledger.tables import length
from worker.model import Lengths

#: A host that has given nothing for so long is forgotten.
KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapsed:
    """A host whose texts are far shorter than usual."""

    host: str
    since: datetime
    #: Characters of a text: as is usual there, and as it is now.
    usual: int
    recent: int


def of(t: Transaction, host: str) -> Lengths:
    """Return what is remembered of a host, which no other transaction changes until this one ends."""
    row = t.execute(select(length).where(length.c.host == host).with_for_update()).one_or_none()
    if row is None:
        return Lengths()
    return Lengths(count=row.texts, usual=row.usual, recent=row.recent, since=row.since)


def keep(t: Transaction, host: str, found: Lengths, *, now: datetime) -> None:
    """Remember what is known of a host."""
    values = {"texts": found.count, "usual": found.usual, "recent": found.recent, "since": found.since, "at": now}
    insertion = insert_into(t, length).values(host=host, **values)
    t.execute(insertion.on_conflict_do_update(index_elements=[length.c.host], set_=values))


def collapsed(t: Transaction) -> list[Collapsed]:
    """Return the hosts whose texts are far shorter than usual, longest first."""
    rows = t.execute(select(length).where(length.c.since.is_not(None)).order_by(length.c.since, length.c.host))
    return [
        Collapsed(host=row.host, since=row.since, usual=round(exp(row.usual)), recent=round(exp(row.recent)))
        for row in rows
    ]


def forget(t: Transaction, *, now: datetime) -> int:
    """Forget hosts that have given nothing for long, and return how many."""
    return int(t.execute(delete(length).where(length.c.at < now - KEPT)).rowcount)
