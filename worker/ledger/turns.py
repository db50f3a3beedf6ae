"""Turns: what only one transaction at a time may decide."""

from __future__ import annotations

from sqlalchemy import update

from worker.ledger.engine import Transaction
from worker.ledger.inserts import insert_new
from worker.ledger.tables import turn


def take(t: Transaction, name: str) -> None:
    """Wait until no other transaction has the turn ``name``; it is given back with the commit.

    What is read after this is what others have committed. One row is written first: SQLite and PostgreSQL both make
    the others wait for it.
    """
    insert_new(t, turn, {"name": name, "count": 0})
    t.execute(update(turn).where(turn.c.name == name).values(count=turn.c.count + 1))
