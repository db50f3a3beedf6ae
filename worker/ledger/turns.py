"""Turns: what only one transaction at a time may decide."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction
from worker.ledger.ready import Ready
from worker.ledger.tables import turn


def take(t: Transaction, name: str) -> int:
    """Wait until no other transaction has the turn ``name``, and return its number: 1, 2, 3 and so on.

    The turn is given back with the commit; until then whatever is read is what others have committed, by this number
    and no later one. One row is written first: SQLite and PostgreSQL both make the others wait for it.
    """
    return int(_TAKING.first(t, {"name": name, "count": 1}).number)


def last(t: Transaction, name: str) -> int:
    """Return the number of the last turn that was committed when ``t`` began to read; 0 when there was none."""
    return int(t.execute(_last(), {"name": name}).scalar() or 0)


def _taken(dialect: str) -> Any:  # noqa: ANN401 - an upsert of one of two dialects
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(turn)
    grown = insertion.on_conflict_do_update(index_elements=[turn.c.name], set_={"count": turn.c.count + 1})
    return grown.returning(turn.c.count.label("number"))


_TAKING: Final = Ready(_taken, "name", "count")


@cache
def _last() -> Any:  # noqa: ANN401 - a SELECT
    return select(turn.c.count).where(turn.c.name == bindparam("name"))
