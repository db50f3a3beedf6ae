"""Tallies: how often things have happened, counted in the transactions in which they happen.

A process that keeps counters of its own forgets them when it dies, and one that counts after a commit miscounts when it
dies in between. What is counted here is true whenever the ledger is: a transaction that is rolled back counts nothing,
and nothing is lost with a worker. A tally is kept by day, so that it is a history as well, until it is folded.

Several processes count at once: each adds to rows of its own ``shard``, so that none waits for another.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.ledger.ready import Ready
from worker.ledger.tables import tally

#: Names of tallies, with what their labels say.
POLLS: Final = "polls"  # outcome
ENTRIES: Final = "entries"  # feed
FETCHES: Final = "fetches"  # kind (poll or page), host, outcome
READS: Final = "reads"  # outcome
MATCHES: Final = "matches"  # topic, by
DECISIONS: Final = "decisions"  # topic, reason
ALERTS: Final = "alerts"  # topic, role
DELIVERIES: Final = "deliveries"  # channel, outcome
DEAD_LETTERS: Final = "dead_letters"  # kind (entry or alert)
REVIVED: Final = "revived"  # kind
#: Histograms of seconds: from publication to an alert's first delivery, and from the poll that found the entry to it.
PUBLISH_TO_ALERT: Final = "publish_to_alert"
DETECT_TO_DELIVERY: Final = "detect_to_delivery"

#: Upper bounds of the histograms' buckets in seconds; a last one has no bound.
BOUNDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 43200.0, 86400.0)
#: Hosts that are counted by name; what comes after is ``other``, so that the number of series has a bound.
HOSTS: Final = 100
OTHER: Final = "other"
#: How long the days of a tally are told apart: those that are shown as a history, and the rest.
HISTORY: Final = frozenset({ENTRIES, MATCHES, ALERTS})
_DAYS_KEPT, _REST_KEPT = timedelta(days=60), timedelta(days=2)
#: The day into which old days are folded.
_EVER: Final = 0
#: Rows for one count on PostgreSQL, so that processes seldom meet on one. SQLite has one writer at a time.
_SHARDS: Final = 8
_SUM, _COUNT = "sum", "bucket"
_MARK: Final = "\x1f"
_EPOCH: Final = date(1970, 1, 1)
_PENDING: Final = "wirewatch_tallies"
_NAMED: Final = "wirewatch_hosts"

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many values were at most so great."""

    #: Upper bounds in seconds with the number of values up to each; the last bound is infinite.
    buckets: tuple[tuple[float, float], ...]
    count: float
    sum: float


def count(t: Connection, name: str, *labels: str, now: datetime, n: float = 1) -> None:
    """Add ``n`` to a tally, with the rest of the transaction or not at all."""
    pending: dict[Key, float] = t.info.setdefault(_PENDING, defaultdict(float))
    pending[name, _MARK.join(labels), _day(now)] += n


def observe(t: Connection, name: str, seconds: float, *, now: datetime) -> None:
    """Add a value to a histogram; a negative one counts as 0."""
    value = max(seconds, 0.0)
    count(t, name, _COUNT, str(bisect_left(BOUNDS, value)), now=now)
    count(t, name, _SUM, now=now, n=value)


def host(t: Connection, found: str) -> str:
    """Return the label of a host: its name, or ``other`` when ``HOSTS`` others had come before it."""
    named: set[str] = t.info.setdefault(_NAMED, set())
    if found not in named and len(named) < HOSTS:
        # Others may have been named since; processes that do so at the same moment may come to a few more.
        named |= {labels[1] for _, labels in totals(t, (FETCHES,))} - {OTHER}
    if found not in named and len(named) >= HOSTS:
        return OTHER
    named.add(found)
    return found


def begin(t: Connection) -> None:
    """Forget what a transaction before this one, on the same connection, has left behind."""
    t.info.pop(_PENDING, None)


def write(t: Connection) -> None:
    """Write what this transaction has counted: the last thing that it does, in one order, so that none waits long."""
    pending: dict[Key, float] | None = t.info.pop(_PENDING, None)
    if pending:
        shard = os.getpid() % _SHARDS if t.dialect.name == "postgresql" else 0
        _add(t, [(*key, shard, n) for key, n in sorted(pending.items())])


def _add(t: Connection, rows: Iterable[tuple[str, str, int, int, float]]) -> None:
    values = [{"name": name, "label": label, "day": day, "shard": shard, "n": n} for name, label, day, shard, n in rows]
    if values:
        _ADDING.run_all(t, values)


def _addition(dialect: str) -> Any:  # noqa: ANN401 - the INSERT of one of two dialects
    insertion = (postgresql if dialect == "postgresql" else sqlite).insert(tally)
    return insertion.on_conflict_do_update(
        index_elements=list(tally.primary_key.columns), set_={"n": tally.c.n + insertion.excluded.n}
    )


_ADDING: Final = Ready(_addition, "name", "label", "day", "shard", "n")


def totals(t: Connection, names: Iterable[str] = ()) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return all that was ever counted, by name and labels; of ``names`` only, where some are given."""
    wanted = list(names)
    query = select(tally.c.name, tally.c.label, func.sum(tally.c.n)).group_by(tally.c.name, tally.c.label)
    if wanted:
        query = query.where(tally.c.name.in_(wanted))
    return {(name, tuple(label.split(_MARK)) if label else ()): n for name, label, n in t.execute(query)}


def days(t: Connection, name: str, *, since: date) -> dict[tuple[str, ...], dict[date, int]]:
    """Return what was counted on each day (UTC) from ``since`` on, by labels; days without a count are left out.

    Only the tallies of ``HISTORY`` know their days, for sixty of them.
    """
    query = (
        select(tally.c.label, tally.c.day, func.sum(tally.c.n))
        .where(tally.c.name == name, tally.c.day >= (since - _EPOCH).days)
        .group_by(tally.c.label, tally.c.day)
        .order_by(tally.c.label, tally.c.day)
    )
    found: dict[tuple[str, ...], dict[date, int]] = {}
    for label, day, n in t.execute(query):
        found.setdefault(tuple(label.split(_MARK)), {})[_EPOCH + timedelta(days=day)] = round(n)
    return found


def histogram(t: Connection, name: str) -> Histogram:
    """Return a histogram with all that was ever observed."""
    found = {labels: n for (_, labels), n in totals(t, (name,)).items()}
    counts = [found.get((_COUNT, str(place)), 0.0) for place in range(len(BOUNDS) + 1)]
    buckets = tuple(zip((*BOUNDS, float("inf")), accumulate(counts), strict=True))
    return Histogram(buckets=buckets, count=sum(counts), sum=found.get((_SUM,), 0.0))


def fold(t: Connection, *, now: datetime) -> int:
    """Add what was counted on days that are no longer told apart to one row each; return how many rows went."""
    # Both are decided before anything is written: a count of today is nobody's to move.
    history, rest = _day(now - _DAYS_KEPT), _day(now - _REST_KEPT)
    old = (tally.c.day < bindparam("until")) & (tally.c.day > _EVER)
    gone: dict[tuple[str, str], float] = defaultdict(float)
    rows = 0
    for condition, until in ((tally.c.name.in_(HISTORY), history), (tally.c.name.not_in(HISTORY), rest)):
        removal = delete(tally).where(old, condition).returning(tally.c.name, tally.c.label, tally.c.n)
        for name, label, n in t.execute(removal, {"until": until}):
            gone[name, label] += n
            rows += 1
    _add(t, [(name, label, _EVER, 0, n) for (name, label), n in sorted(gone.items())])
    return rows


def _day(at: datetime) -> int:
    return (at.astimezone(UTC).date() - _EPOCH).days
