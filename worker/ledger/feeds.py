"""Feeds in the ledger: what past polls have taught, and when the next one is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, case, insert, select, type_coerce, update

from worker.ledger import leases, turns
from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, Claim, claim_rows
from worker.ledger.ready import Ready
from worker.ledger.tables import OFF, OPEN, Instant, feed
from worker.model import Feed, FeedState, Hints, Reason
from worker.url import host

#: States in which a feed is not polled any more until a person acts.
STOPPED = ("gone", "disabled", "merged")

#: Columns that only a poll with a document changes.
_OF_DOCUMENTS = ("parsed_at", "shown", "whole_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What is to be written of one poll."""

    claim: Claim[FeedState]
    state: FeedState
    next_poll_at: datetime
    #: Of the address that is polled from now on.
    host: str
    #: Whether a document was parsed.
    parsed: bool = False


def sync(t: Transaction, feeds: Iterable[Feed], *, now: datetime) -> None:
    """Make the ledger's feeds those of the configuration.

    A feed that is new is due now. One that is configured no longer is not polled but remembered. A feed whose
    address changed forgets its validators and whatever had stopped it.
    """
    turns.take(t, "configuration")
    known = {row.id: row for row in t.execute(select(feed))}
    wanted = {f.id: f for f in feeds}
    new = [_new(f, now) for feed_id, f in wanted.items() if feed_id not in known]
    if new:
        t.execute(insert(feed), new)
    for feed_id, configured in wanted.items():
        row = known.get(feed_id)
        if row is None:
            continue
        if row.url != configured.url:
            fresh = _new(configured, now)
            t.execute(update(feed).where(feed.c.id == feed_id).values(fresh | {"last_success_at": row.last_success_at}))
        elif (row.work, row.base) != (work := _work(configured, row.state), configured.interval):
            t.execute(update(feed).where(feed.c.id == feed_id).values(work=work, base=configured.interval))
    gone = [feed_id for feed_id, row in known.items() if feed_id not in wanted and row.work != OFF]
    t.execute(update(feed).where(feed.c.id.in_(gone)).values(work=OFF, lease_until=None, lease_token=None))


def _work(configured: Feed, state: str) -> str:
    return OPEN if configured.enabled and state not in STOPPED else OFF


def _new(configured: Feed, now: datetime) -> dict[str, Any]:
    state = FeedState(feed_id=configured.id, interval=configured.interval)
    return {
        "id": configured.id,
        "url": configured.url,
        "host": host(configured.url),
        "work": _work(configured, "new"),
        "base": configured.interval,
        "due_at": now,
        "lease_until": None,
        "lease_token": None,
        "attempt": 0,
        "parsed_at": None,
    } | _columns(state)


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[FeedState]]:
    """Return at most ``limit`` feeds that are due, claimed for ``LEASE``.

    Each is written to be due again after its interval already now: should its worker die in the middle of the
    poll, the publisher is not asked a second time before that.
    """
    rows = claim_rows(t, feed, now=now, limit=limit, lease=LEASE, sets=_due_again)
    return [Claim(id=row.id, token=row.lease_token, attempt=row.attempt, value=_state(row)) for row in rows]


def _due_again() -> Mapping[str, Any]:
    # All of them count microseconds, so that the database can add them. The last wait may have been a long one, which
    # the publisher had asked for: it is over.
    moment = type_coerce(bindparam("claim_now", type_=Instant()), BigInteger)
    shorter = case((feed.c.interval < feed.c.base, feed.c.interval), else_=feed.c.base)
    return {"due_at": moment + type_coerce(shorter, BigInteger)}


def held(t: Transaction, claims: Iterable[Claim[FeedState]]) -> set[tuple[str, str]]:
    """Return the marks of those ``claims`` that nobody has taken meanwhile, and keep them so."""
    return leases.held(t, feed, claims)


def record(t: Transaction, polled: Sequence[Polled]) -> None:
    """Write what polls have taught and when the next ones are due. All of them must be ``held``."""
    rows = [_row(one) for one in polled]
    for parsed in (False, True):
        chosen = [row for row, at in rows if (at is not None) is parsed]
        if chosen:
            _update(parsed=parsed).run_all(t, chosen)


def _row(one: Polled) -> tuple[dict[str, Any], datetime | None]:
    columns = {"b_" + name: value for name, value in _columns(one.state).items()}
    parsed_at = one.state.polled_at if one.parsed else None
    work = OFF if one.state.state in STOPPED else OPEN
    known = {
        "b_id": one.claim.id,
        "b_host": one.host,
        "b_work": work,
        "b_due_at": one.next_poll_at,
        "b_parsed_at": parsed_at,
        "b_shown": one.state.shown,
        "b_whole_at": one.state.whole_at,
    }
    return columns | known, parsed_at


def _columns(state: FeedState) -> dict[str, Any]:
    return {
        "state": state.state,
        "outcome": state.outcome,
        "error": state.error,
        "etag": state.etag,
        "last_modified": state.last_modified,
        "body_hash": state.body_hash,
        "failures": state.failures,
        "polled_at": state.polled_at,
        "last_success_at": state.last_success_at,
        "interval": state.interval,
        "max_age": state.max_age,
        "moved_to": state.moved_to,
        "moved_count": state.moved_count,
        "address": state.address,
        "full_at": state.full_at,
        "validators": state.validators,
        "gaps": state.gaps,
        "hints": _hints_to_json(state.hints),
        "rhythm": dict(state.rhythm),
    }


@cache
def _update(*, parsed: bool) -> Ready:
    """Return the statement that writes a poll down."""
    names = [*_columns(FeedState(feed_id="")), "host", "work", "due_at", *(_OF_DOCUMENTS if parsed else [])]
    values = {name: bindparam("b_" + name, type_=feed.c[name].type) for name in names}
    given_back = {"lease_until": None, "lease_token": None, "attempt": 0}
    return Ready(lambda _: update(feed).where(feed.c.id == bindparam("b_id")).values(**values, **given_back))


def release(t: Transaction, claims: Iterable[tuple[Claim[FeedState], datetime]]) -> None:
    """Give claims back unpolled, each due at its time."""
    leases.release(t, feed, claims)


def hold(t: Transaction, name: str, *, until: datetime) -> None:
    """Have no feed of the host ``name`` polled before ``until``: its publisher has asked for that."""
    t.execute(update(feed).where(feed.c.host == name, feed.c.due_at < until).values(due_at=until))


def resume(t: Transaction, feed_id: str, *, now: datetime) -> bool:
    """Put a feed that was stopped back to work, due now; ``False`` when it was not stopped."""
    changed = t.execute(
        update(feed)
        .where(feed.c.id == feed_id, feed.c.state.in_(STOPPED))
        .values(work=OPEN, state="failing", failures=0.0, due_at=now, address=None, moved_to=None, moved_count=0)
    )
    return changed.rowcount == 1


def states(t: Transaction) -> Mapping[str, FeedState]:
    """Return the state of every feed that is configured now or was once, by id."""
    return {row.id: _state(row) for row in t.execute(select(feed).order_by(feed.c.id))}


def addresses(t: Transaction) -> Mapping[str, str]:
    """Return the configured address of every feed, by id."""
    return {row.id: row.url for row in t.execute(select(feed.c.id, feed.c.url))}


def _hints_to_json(hints: Hints) -> dict[str, Any]:
    update_s = hints.update_interval.total_seconds() if hints.update_interval else None
    found = {"update_s": update_s, "hours": hints.skip_hours, "days": hints.skip_days, "hub": hints.hub}
    return {name: value for name, value in found.items() if value}


def _hints(values: Mapping[str, Any]) -> Hints:
    return Hints(
        update_interval=timedelta(seconds=values["update_s"]) if "update_s" in values else None,
        skip_hours=tuple(values.get("hours", ())),
        skip_days=tuple(values.get("days", ())),
        hub=values.get("hub"),
    )


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
        max_age=row.max_age,
        moved_to=row.moved_to,
        moved_count=row.moved_count,
        address=row.address,
        full_at=row.full_at,
        validators=row.validators,
        gaps=row.gaps,
        hints=_hints(row.hints),
        rhythm=row.rhythm,
        shown=row.shown or b"",
        whole_at=row.whole_at,
    )
