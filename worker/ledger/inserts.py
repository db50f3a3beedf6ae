"""INSERTs that look at what is there already, on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction


def insert_into(t: Transaction, table: Table) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    """Return an INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return (postgresql if t.dialect.name == "postgresql" else sqlite).insert(table)


def insert_new(t: Transaction, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row and return ``True``, or do nothing and return ``False`` when a unique key is taken."""
    # The count of rows that an INSERT reports is not to be relied on: with psycopg it is -1 for a generated key.
    insertion = insert_into(t, table).values(**values).on_conflict_do_nothing()
    return t.execute(insertion.returning(*table.primary_key.columns)).first() is not None
