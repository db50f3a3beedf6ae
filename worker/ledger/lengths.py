"""What is known of the lengths of the texts that hosts give, by host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import exp
from typing import Any, Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.engine import Transaction
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


def of(t: Transaction, hosts: Iterable[str]) -> dict[str, Lengths]:
    """Return what is remembered of hosts, which no other transaction changes until this one ends."""
    # In one order, so that no two transactions wait for each other.
    rows = t.execute(_of(), {"hosts": sorted(hosts)})
    return {row.host: Lengths(count=row.texts, usual=row.usual, recent=row.recent, since=row.since) for row in rows}


def keep(t: Transaction, found: Mapping[str, Lengths], *, now: datetime) -> None:
    """Remember what is known of hosts."""
    rows = [
        {"host": host, "texts": one.count, "usual": one.usual, "recent": one.recent, "since": one.since, "at": now}
        for host, one in sorted(found.items())
    ]
    if rows:
        t.execute(_keeping(t.dialect.name), rows)


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


# The statements of what is done for every page, made once: composing one costs more than running it.


@cache
def _of() -> Any:  # noqa: ANN401 - a SELECT
    wanted = length.c.host.in_(bindparam("hosts", expanding=True))
    return select(length).where(wanted).order_by(length.c.host).with_for_update()


@cache
def _keeping(dialect: str) -> Any:  # noqa: ANN401 - an upsert of one of two dialects
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(length)
    changed = ("texts", "usual", "recent", "since", "at")
    return insertion.on_conflict_do_update(
        index_elements=[length.c.host], set_={name: insertion.excluded[name] for name in changed}
    )
