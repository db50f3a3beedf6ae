"""Feeds in the ledger: what past polls have taught, and when the next one is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, Claim, claim_rows, write_back
from worker.ledger.tables import OFF, OPEN, feed
from worker.model import Feed, FeedState, Reason

#: States in which a feed is not polled any more until a person acts.
_STOPPED = ("gone", "disabled")


def sync(t: Transaction, feeds: Iterable[Feed], *, now: datetime) -> None:
    """Make the ledger's feeds those of the configuration.

    A feed that is new is due now. One that is configured no longer is not polled but remembered. A feed whose
    address changed forgets its validators and whatever had stopped it.
    """
    known = {row.id: row for row in t.execute(select(feed))}
    wanted = {f.id: f for f in feeds}
    for feed_id, configured in wanted.items():
        row = known.get(feed_id)
        if row is None:
            t.execute(insert(feed).values(**_new(configured, now)))
        elif row.url != configured.url:
            fresh = _new(configured, now)
            t.execute(update(feed).where(feed.c.id == feed_id).values(fresh | {"last_success_at": row.last_success_at}))
        elif row.work != _work(configured, row.state):
            t.execute(update(feed).where(feed.c.id == feed_id).values(work=_work(configured, row.state)))
    gone = [feed_id for feed_id, row in known.items() if feed_id not in wanted and row.work != OFF]
    t.execute(update(feed).where(feed.c.id.in_(gone)).values(work=OFF, lease_until=None, lease_token=None))


def _work(configured: Feed, state: str) -> str:
    return OPEN if configured.enabled and state not in _STOPPED else OFF


def _new(configured: Feed, now: datetime) -> dict[str, Any]:
    return {
        "id": configured.id,
        "url": configured.url,
        "work": _work(configured, "new"),
        "state": "new",
        "outcome": None,
        "error": None,
        "etag": None,
        "last_modified": None,
        "body_hash": None,
        "failures": 0.0,
        "polled_at": None,
        "interval": configured.interval,
        "due_at": now,
        "lease_until": None,
        "lease_token": None,
        "attempt": 0,
    }


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[FeedState]]:
    """Return at most ``limit`` feeds that are due, claimed for ``LEASE``."""
    rows = claim_rows(t, feed, now=now, limit=limit, lease=LEASE)
    return [Claim(id=row.id, token=row.lease_token, attempt=row.attempt, value=_state(row)) for row in rows]


def record(t: Transaction, claimed: Claim[FeedState], state: FeedState, *, next_poll_at: datetime) -> None:
    """Write what a poll has taught and when the next one is due.

    Raises:
        LeaseLost: another worker has claimed the feed meanwhile.
    """
    write_back(
        t,
        feed,
        claimed,
        work=OFF if state.state in _STOPPED else OPEN,
        state=state.state,
        outcome=state.outcome,
        error=state.error,
        etag=state.etag,
        last_modified=state.last_modified,
        body_hash=state.body_hash,
        failures=state.failures,
        polled_at=state.polled_at,
        last_success_at=state.last_success_at,
        interval=state.interval,
        due_at=next_poll_at,
        attempt=0,
    )


def states(t: Transaction) -> Mapping[str, FeedState]:
    """Return the state of every feed that is configured now or was once, by id."""
    return {row.id: _state(row) for row in t.execute(select(feed).order_by(feed.c.id))}


def addresses(t: Transaction) -> Mapping[str, str]:
    """Return the address of every feed, by id."""
    return {row.id: row.url for row in t.execute(select(feed.c.id, feed.c.url))}


def _state(row: Row[Any]) -> FeedState:
    return FeedState(
        feed_id=row.id,
        state=row.state,
        outcome=Reason(row.outcome) if row.outcome else None,
        error=row.error,
        etag=row.etag,
        last_modified=row.last_modified,
        body_hash=row.body_hash,
        failures=row.failures,
        polled_at=row.polled_at,
        last_success_at=row.last_success_at,
        next_poll_at=row.due_at if row.work == OPEN else None,
        interval=row.interval,
    )
