"""INSERTs that look at what is there already, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction
from worker.ledger.ready import Ready


def insertion(dialect: str, table: Table) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    """Return an INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def insert_new(t: Transaction, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row and return ``True``, or do nothing and return ``False`` when a unique key is taken."""
    return _inserting(table, tuple(values)).first(t, values) is not None


def insert_new_all(
    t: Transaction, table: Table, rows: Sequence[Mapping[str, Any]], *, and_return: tuple[str, ...] = ()
) -> list[Any]:
    """Insert the rows whose unique keys are not taken.

    Returned are the primary keys of those that were inserted, with the columns that ``and_return`` names.
    """
    if not rows:
        return []
    if len(rows) == 1:
        return _inserting(table, tuple(rows[0]), and_return).all(t, rows[0])
    return list(t.execute(_insert_new(t.dialect.name, table, and_return), list(rows)).all())


@cache
def adding_new(table: Table, *columns: str) -> Ready:
    """Return what inserts the rows whose unique keys are not taken, and says nothing of them."""
    return Ready(lambda dialect: insertion(dialect, table).on_conflict_do_nothing(), *columns)


@cache
def _inserting(table: Table, columns: tuple[str, ...], and_return: tuple[str, ...] = ()) -> Ready:
    return Ready(lambda dialect: _insert_new(dialect, table, and_return), *columns)


@cache
def _insert_new(dialect: str, table: Table, and_return: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - an INSERT
    # Made once: composing it costs more than running it. The count of rows that an INSERT reports is not to be relied
    # on: with psycopg it is -1 for a generated key.
    returned = [*table.primary_key.columns, *(table.c[name] for name in and_return)]
    return insertion(dialect, table).on_conflict_do_nothing().returning(*returned)
