"""The outbox: alerts, from the transaction that decided them to their certain end, or a doubt that is shown.

::

    open ──claim──> open, leased ──begin──> started ──> done      the channel has it
     │                                         │  └────> open      known not sent: tried again at due_at
     │                                         ├───────> dead      never deliverable: a dead letter
     │                                         └───────> unknown   may or may not have arrived, and nobody can tell
     └──> off                                                      a silence has begun before it was sent

An alert that is started, with a lease that ran out, is in doubt: its worker died while the channel was called. What is
shown of an alert is written when it is first begun, and every later attempt shows the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, exists, insert, or_, select, update

from worker.ledger import gathered
from worker.ledger.alert_rows import alert_from_row
from worker.ledger.engine import Transaction
from worker.ledger.leases import LEASE, Claim, LeaseLost, claim_rows, hold, write_back
from worker.ledger.ready import Ready
from worker.ledger.tables import DONE, OFF, OPEN, UNKNOWN, alert, delivery
from worker.model import Alert, Delivery, Reason, Role

_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
#: What is waited after each attempt that has failed: attempts over three days, so that a receiver that is away for a
#: weekend loses nothing. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
#: ("Deliverability and reliability"), which counts the first attempt as a wait of 0.
SCHEDULE: Final = (
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
#: After so many attempts an alert is a dead letter.
ATTEMPTS = len(SCHEDULE) + 1
#: The longest wait, also when the receiver asks for a longer one.
CAP = timedelta(hours=24)
#: Waits are longer by a random part, up to this much of them, so that what failed together does not come together.
SPREAD: Final = 0.2
#: Neither counts as an attempt: it is the channel that does not want to be asked.
_UNCHARGED: Final = (Reason.CHANNEL_WAITS, Reason.CHANNEL_DISABLED)


class Due(NamedTuple):
    """An alert in hand."""

    alert: Alert
    #: When an attempt was begun whose end nobody has written down.
    started_at: datetime | None
    #: What was to be seen of it when it was first sent: see ``worker.ledger.shown``.
    shown: Mapping[str, Any] | None


def claim(t: Transaction, *, now: datetime, limit: int) -> list[Claim[Due]]:
    """Return at most ``limit`` alerts that are due, claimed, each with what earlier attempts have left behind.

    An alert waits while an earlier one of the same topic, story and channel is open, so that an update never
    overtakes what it updates. Digests and notices belong to no story and wait for nobody.
    """
    rows = claim_rows(t, alert, now=now, limit=limit, lease=LEASE, also=_first_of_line)
    return [
        Claim(
            id=row.id,
            token=row.lease_token,
            attempt=row.attempt,
            value=Due(alert=alert_from_row(row), started_at=row.started_at, shown=row.shown),
        )
        for row in rows
    ]


def _first_of_line() -> ColumnElement[bool]:
    earlier = alert.alias("earlier")
    return (alert.c.story_id == "") | ~exists().where(
        earlier.c.story_id == alert.c.story_id,
        earlier.c.topic_id == alert.c.topic_id,
        earlier.c.channel_id == alert.c.channel_id,
        earlier.c.work == OPEN,
        earlier.c.id < alert.c.id,
    )


def begun(t: Transaction, claimed: Claim[Any], *, now: datetime) -> Mapping[str, Any] | None:
    """Return what is shown when this very attempt was begun before, and only the answer of the commit was lost.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile, or it was given back.
    """
    row = _BEGUN.first(t, {"id": claimed.id, "token": claimed.token})
    if row is None:
        raise LeaseLost(f"alert {claimed.id}: the lease ran out and the row was claimed again")
    shown: Mapping[str, Any] | None = row.shown
    return shown if row.started_at == now else None


def _begun(_: str) -> Any:  # noqa: ANN401 - a SELECT
    mine = (alert.c.id == bindparam("id")) & (alert.c.lease_token == bindparam("token"))
    return select(alert.c.started_at, alert.c.shown).where(mine)


_BEGUN: Final = Ready(_begun)


def begin(
    t: Transaction,
    claimed: Claim[Any],
    *,
    now: datetime,
    shown: Mapping[str, Any] | None = None,
    repeat: bool = False,
) -> None:
    """Write that the channel is about to be called, and what it is shown; renew the lease. Commit before calling it.

    The lease counts from here, since the last alert of a batch may begin long after the claim. One that ran out is
    renewed when nobody else has claimed the alert. ``repeat``: it may have arrived before.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile, or it was given back.
    """
    values: dict[str, Any] = {"started_at": now, "lease_until": now + LEASE}
    if shown is not None:
        values["shown"] = shown
    if repeat:
        values["repeat"] = True
    hold(t, alert, claimed, sets=_uncharged, **values)


def _uncharged() -> dict[str, Any]:
    waited = or_(*(alert.c.reason == reason for reason in _UNCHARGED))
    return {"reason": case((waited, Reason.QUEUED.value), else_=alert.c.reason)}


def release(t: Transaction, claims: Iterable[Claim[Due]]) -> None:
    """Give back claims that were not begun, without counting their attempt. Others are left alone."""
    for one in claims:
        started_at = one.value.started_at
        same = alert.c.started_at.is_(None) if started_at is None else alert.c.started_at == started_at
        t.execute(
            update(alert)
            .where(alert.c.id == one.id, alert.c.lease_token == one.token, same)
            .values(attempt=max(one.attempt - 1, 0), lease_until=None, lease_token=None)
        )


def wait(t: Transaction, claimed: Claim[Any], *, until: datetime, reason: Reason) -> None:
    """Give back a claim that was not begun until its channel may be asked. No attempt is counted; a lost one is left.

    ``reason`` is ``channel-waits`` or ``channel-disabled``. What is in doubt stays so.
    """
    t.execute(
        update(alert)
        .where(alert.c.id == claimed.id, alert.c.lease_token == claimed.token)
        .values(due_at=until, reason=reason, attempt=max(claimed.attempt - 1, 0), lease_until=None, lease_token=None)
    )


def record(
    t: Transaction,
    claimed: Claim[Due],
    d: Delivery,
    *,
    due_at: datetime | None = None,
    repeat: bool = False,
    through: str = "",
) -> None:
    """Write how an attempt ended; the alerts of a digest end with it. ``Reason.DEAD`` is for ``dead.bury``.

    ``Reason.RETRY`` needs ``due_at``, and so do ``channel-waits`` and ``channel-disabled``, which charge no attempt.
    ``repeat``: it may have arrived and is to be sent again all the same. ``through`` is the channel that was called,
    if not the alert's own: what that one calls the message means nothing to the alert's own.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile.
    """
    add_delivery(t, d)
    if d.outcome in {Reason.DELIVERED, Reason.UNKNOWN}:
        _end(t, claimed, d, remote_id=None if through else d.remote_id)
        return
    values: dict[str, Any] = {"due_at": due_at, "started_at": None, "last_error": d.detail}
    if repeat:
        values["repeat"] = True
    if d.outcome in _UNCHARGED:
        values |= {"attempt": max(claimed.attempt - 1, 0), "reason": d.outcome}
    write_back(t, alert, claimed, **values)


def _end(t: Transaction, claimed: Claim[Due], d: Delivery, *, remote_id: str | None) -> None:
    if d.outcome is Reason.DELIVERED:
        write_back(t, alert, claimed, work=DONE, sent_at=d.at, remote_id=remote_id, last_error=None)
    else:
        write_back(t, alert, claimed, work=UNKNOWN, last_error=d.detail)
    if claimed.value.alert.role is Role.DIGEST:
        shown = t.execute(select(alert.c.shown).where(alert.c.id == claimed.id)).scalar()
        alone = shown is not None and shown["kind"] == "message"
        gathered.ended(t, d.alert_key, d, remote_id=remote_id if alone else None, now=d.at)


def turn_off(t: Transaction, claimed: Claim[Any], *, why: str) -> None:
    """Write that an alert in hand is not to be told after all.

    Raises:
        LeaseLost: another worker has claimed the alert meanwhile.
    """
    write_back(t, alert, claimed, work=OFF, started_at=None, last_error=why)


def add_delivery(t: Transaction, d: Delivery) -> None:
    """Add an attempt to the record of deliveries."""
    _ADDING.run(
        t,
        {
            "alert_key": d.alert_key,
            "at": d.at,
            "attempt": d.attempt,
            "outcome": d.outcome,
            "detail": d.detail,
            "remote_id": d.remote_id,
        },
    )


_ADDING: Final = Ready(
    lambda _: insert(delivery).inline(), "alert_key", "at", "attempt", "outcome", "detail", "remote_id"
)


def has_delivery(t: Transaction, d: Delivery) -> bool:
    """Return whether this attempt stands in the record of deliveries already."""
    same = (
        delivery.c.alert_key == d.alert_key,
        delivery.c.at == d.at,
        delivery.c.attempt == d.attempt,
        delivery.c.outcome == d.outcome,
    )
    return t.execute(select(delivery.c.id).where(*same).limit(1)).first() is not None


def find(t: Transaction, ref: str) -> Alert | None:
    """Return the alert whose key is ``ref`` or begins with it (at least eight characters)."""
    wanted = alert.c.key == ref
    if len(ref) >= 8:  # noqa: PLR2004 - see the docstring
        wanted = alert.c.key.startswith(ref, autoescape=True)
    row = t.execute(select(alert).where(wanted).limit(1)).one_or_none()
    return None if row is None else alert_from_row(row)


def retry_at(now: datetime, *, attempt: int, jitter: float, after: timedelta | None = None) -> datetime:
    """Return when to send again after the ``attempt``-th attempt (from 1) has failed.

    ``jitter`` is a random number in 0..1. ``after`` is what the receiver asked for (Retry-After): a floor, itself held
    to ``CAP``.
    """
    wait = min(SCHEDULE[min(max(attempt, 1), len(SCHEDULE)) - 1], CAP)
    return now + max(wait * (1 + SPREAD * jitter), min(after or timedelta(0), CAP))
