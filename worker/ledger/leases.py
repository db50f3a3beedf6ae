"""Claims with leases: how several workers share the rows of one table.

1. A claim takes rows that are open and due, oldest first, writes a lease and a fresh token on them and counts the
   attempt: a row that kills its worker is charged although nobody came back to say so. Where there are more entries
   than a claim takes, a part of it are the newest.
2. A row whose lease ran out is claimed alone, and one to which that has happened twice is worked on alone, so that a
   row that kills workers takes no neighbour with it (``Claim.suspect``).
3. Every write-back names the token. A worker that lost its lease changes nothing (``LeaseLost``).
4. A row that was claimed ``MAX_ATTEMPTS`` times without an end goes to the dead letters.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Table,
    Text,
    bindparam,
    select,
    true,
    type_coerce,
    update,
)

from worker.errors import WirewatchError
from worker.ledger.engine import Transaction
from worker.ledger.ready import Among, Ready
from worker.ledger.tables import OPEN, Instant

MAX_ATTEMPTS = 5
#: The attempt from which a row whose lease ran out is worked on alone: whoever was its neighbour once is free by then.
_SUSPECT = 3
#: Begins the token of a row whose lease had run out.
_LAPSED = "lapsed-"
#: Twice the hard limit of a task, see the settings of the service.
LEASE = timedelta(seconds=120)
#: Retries wait a random part of ``BASE * 2**(attempt - 1)``, at most ``CAP`` ("full jitter",
#: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
BASE = timedelta(seconds=10)
CAP = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: https://www.postgresql.org/docs/current/runtime-config-query.html#RUNTIME-CONFIG-QUERY-ENABLE
_WALK = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"

T = TypeVar("T")


class LeaseLost(WirewatchError):  # noqa: N818 - named for what it says
    """Another worker has taken the row meanwhile: whatever was done for it must not be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Generic[T]):
    """A row in hand: its value, and what is needed to write back."""

    id: Any
    token: str
    attempt: int
    value: T

    @property
    def suspect(self) -> bool:
        """Whether two workers in a row may have died of the row: nothing is to be in hand beside it."""
        return self.attempt >= _SUSPECT and self.token.startswith(_LAPSED)

    @property
    def mark(self) -> tuple[Any, str]:
        """What tells this claim from every other, those of the same row included."""
        return self.id, self.token


def claim_rows(
    t: Transaction,
    table: Table,
    *,
    now: datetime,
    limit: int,
    lease: timedelta,
    also: Callable[[], ColumnElement[bool]] = true,
    sets: Callable[[], Mapping[str, Any]] = dict,
    fresh: float = 0.0,
) -> list[Row[Any]]:
    """Return at most ``limit`` rows, claimed; one row only when it is one whose lease ran out.

    ``also`` gives a condition that a row must meet besides, ``sets`` more columns to write; both are asked once for
    each table and may name the parameter ``claim_now``. Of ``limit`` the part ``fresh``, rounded, is kept
    for the newest rows that are due, which matters only when more are due than are claimed; the oldest is always among
    them.
    """
    values = {"claim_now": now, "claim_until": now + lease, "claim_token": uuid.uuid4().hex}

    def claim(which: str, count: int, mark: str = "") -> list[Row[Any]]:
        more = {"claim_limit": count, "claim_token": f"{mark}{values['claim_token']}"}
        return _claim(table, also, sets, which).all(t, values | more)

    walk_indexes(t)
    rows = claim("expired", 1, _LAPSED)
    if not rows:
        newest = int(limit * fresh + 0.5) if limit > 1 else 0
        rows = claim("oldest", limit - newest)
        if newest and len(rows) == limit - newest:
            rows += claim("newest", newest)
    # RETURNING promises no order.
    return sorted(rows, key=lambda row: (row.due_at, row.id))


@cache
def _claim(
    table: Table,
    also: Callable[[], ColumnElement[bool]],
    sets: Callable[[], Mapping[str, Any]],
    which: str,
) -> Ready:
    """Return the statement of a claim, an UPDATE with RETURNING."""
    moment = bindparam("claim_now", type_=Instant())
    c = table.c
    if which == "expired":
        wanted = is_in_hand(table) & (c.lease_until <= moment) & (type_coerce(c.due_at, BigInteger) + 0 <= moment)
    else:
        wanted = (c.work == OPEN) & (c.due_at <= moment) & c.lease_until.is_(None)
    order = {
        "expired": (c.lease_until,),
        "oldest": (c.due_at, c.id),
        "newest": (c.due_at.desc(), c.id.desc()),
    }[which]
    # A CTE, so that the rows to be locked are looked for once whatever the planner thinks of the rest.
    due = (
        select(c.id)
        .where(wanted, also())
        .order_by(*order)
        .limit(bindparam("claim_limit", type_=Integer()))
        # Ignored by SQLite, where the transaction holds the write lock already.
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claiming = (
        update(table)
        .where(c.id.in_(select(due.c.id)))
        .values(
            lease_until=bindparam("claim_until", type_=Instant()),
            lease_token=bindparam("claim_token", type_=Text()),
            attempt=c.attempt + 1,
            **sets(),
        )
        .returning(table)
    )
    return Ready(lambda _: claiming)


def walk_indexes(t: Transaction) -> None:
    """Have PostgreSQL read rows in the order of an index for the rest of the transaction.

    By its statistics from before a backlog there is next to nothing to read, and it reads and sorts 100,000 rows for
    each claim.
    """
    if t.dialect.name == "postgresql":
        t.exec_driver_sql(_WALK)


def is_in_hand(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is claimed, asked so that the index of the claimed ones answers it.

    Without the additions both databases would rather go through all that is open, and "is not NULL" is nothing that
    every SQLite looks up in an index.
    """
    return (table.c.work + "" == OPEN) & (table.c.lease_until > _EPOCH)


def write_back(t: Transaction, table: Table, claim: Claim[Any], **values: Any) -> None:  # noqa: ANN401 - column values
    """Write ``values`` and give the lease back.

    Raises:
        LeaseLost: the row is no longer this claim's; roll back.
    """
    hold(t, table, claim, lease_until=None, lease_token=None, **values)


def write_back_all(t: Transaction, table: Table, ends: Iterable[tuple[Claim[Any], Mapping[str, Any]]]) -> None:
    """Write the values of each claim, all of the same columns, and give the leases back.

    Raises:
        LeaseLost: one of the rows is no longer its claim's; roll back all of them.
    """
    # In one order, so that no two transactions wait for each other.
    rows = [_held_row(claim, given) for claim, given in sorted(ends, key=lambda end: end[0].id)]
    if rows and _holding(table, tuple(rows[0])).run_all(t, rows) != len(rows):
        raise LeaseLost(f"{table.name}: a lease of {len(rows)} ran out and the row was claimed again")


def _held_row(claim: Claim[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "lease_until": None, "lease_token": None, "held_id": claim.id, "held_token": claim.token}


def hold(
    t: Transaction,
    table: Table,
    claim: Claim[Any],
    *,
    sets: Callable[[], Mapping[str, Any]] = dict,
    **values: Any,  # noqa: ANN401 - column values
) -> None:
    """Write ``values`` and keep the lease. ``sets`` gives more columns to write, as SQL; it is asked once.

    Raises:
        LeaseLost: as ``write_back``.
    """
    row = {**values, "held_id": claim.id, "held_token": claim.token}
    if _holding(table, tuple(row), sets).run(t, row) != 1:
        raise LeaseLost(f"{table.name} {claim.id}: the lease ran out and the row was claimed again")


@cache
def _holding(table: Table, columns: tuple[str, ...], sets: Callable[[], Mapping[str, Any]] = dict) -> Ready:
    mine = (table.c.id == bindparam("held_id")) & (table.c.lease_token == bindparam("held_token"))
    return Ready(lambda _: update(table).where(mine).values(**sets()), *columns)


def held(t: Transaction, table: Table, claims: Iterable[Claim[Any]]) -> set[tuple[Any, str]]:
    """Return the marks of those ``claims`` whose rows are still theirs, and keep them so until the transaction ends."""
    wanted = {claim.mark for claim in claims}
    ids = sorted({row_id for row_id, _ in wanted})
    return {(row.id, row.lease_token) for row in _held(table).all(t, ids)} & wanted


@cache
def _held(table: Table) -> Among:
    # Ignored by SQLite, as above.
    held = select(table.c.id, table.c.lease_token).with_for_update()
    return Among(lambda ids: held.where(table.c.id.in_(ids)), type(table.c.id.type))


def release(t: Transaction, table: Table, claims: Iterable[tuple[Claim[Any], datetime]]) -> None:
    """Give claims back unused, each to be due at its time: the attempt is not counted. Lost ones are left alone."""
    values = [{"released": c.id, "token": c.token, "at": due_at, "left": max(c.attempt - 1, 0)} for c, due_at in claims]
    if values:
        t.execute(
            update(table)
            .where(table.c.id == bindparam("released"), table.c.lease_token == bindparam("token"))
            .values(due_at=bindparam("at"), attempt=bindparam("left"), lease_until=None, lease_token=None),
            values,
        )


def retry_at(now: datetime, *, attempt: int, jitter: float, after: timedelta | None = None) -> datetime:
    """Return when to try again after the ``attempt``-th attempt (from 1) failed.

    ``jitter`` is a random number in 0..1. ``after`` is what the other side asked for (Retry-After): a floor,
    itself held to ``CAP``.
    """
    ceiling = min(CAP, BASE * float(2 ** min(max(attempt - 1, 0), 16)))
    wait = ceiling * jitter
    floor = min(after or timedelta(0), CAP)
    return now + max(floor, wait, timedelta(seconds=1))
