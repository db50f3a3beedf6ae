"""Turns: what only one transaction at a time may decide."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction
from worker.ledger.tables import turn


def take(t: Transaction, name: str) -> int:
    """Wait until no other transaction has the turn ``name``, and return its number: 1, 2, 3 and so on.

    The turn is given back with the commit; until then whatever is read is what others have committed, by this number
    and no later one. One row is written first: SQLite and PostgreSQL both make the others wait for it.
    """
    return int(t.execute(_taken(t.dialect.name), {"name": name, "count": 1}).scalar_one())


def last(t: Transaction, name: str) -> int:
    """Return the number of the last turn that was committed when ``t`` began to read; 0 when there was none."""
    return int(t.execute(_last(), {"name": name}).scalar() or 0)


@cache
def _taken(dialect: str) -> Any:  # noqa: ANN401 - an upsert of one of two dialects
    # Made once, here as in the other rooms of stories: composing a statement costs more than running it.
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(turn)
    grown = insertion.on_conflict_do_update(index_elements=[turn.c.name], set_={"count": turn.c.count + 1})
    return grown.returning(turn.c.count)


@cache
def _last() -> Any:  # noqa: ANN401 - a SELECT
    return select(turn.c.count).where(turn.c.name == bindparam("name"))
