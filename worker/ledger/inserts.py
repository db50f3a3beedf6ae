"""INSERTs that look at what is there already, on both databases."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction


def insert_into(t: Transaction, table: Table) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    """Return an INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return (postgresql if t.dialect.name == "postgresql" else sqlite).insert(table)


def insert_new(t: Transaction, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row and return ``True``, or do nothing and return ``False`` when a unique key is taken."""
    return t.execute(_insert_new(t.dialect.name, table), values).first() is not None


@cache
def _insert_new(dialect: str, table: Table) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    # Made once: composing it costs more than running it. The count of rows that an INSERT reports is not to be relied
    # on: with psycopg it is -1 for a generated key.
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return insertion.on_conflict_do_nothing().returning(*table.primary_key.columns)
