"""Channels as a whole: those that are left alone for a time, and those that take nothing until somebody mends them.

A row is there only for a channel to which something has happened. Whoever writes to one and to an alert in the same
transaction writes to the alert first, so that no two of them wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import func, or_, select, update

from worker.ledger import tallies
from worker.ledger.alert_rows import alert_to_row
from worker.ledger.engine import Transaction
from worker.ledger.inserts import insert_new
from worker.ledger.tables import DONE, OFF, OPEN, alert, channel, delivery
from worker.model import Alert, Reason, Role, alert_key

#: Stands for the configuration of a channel that a person has disabled: no other one enables it.
BY_HAND: Final = "*"
#: After how long an alert that waits for a disabled channel is looked at again.
PARKED: Final = timedelta(hours=1)
#: A channel to which nothing was delivered for so long, and at least so many attempts have failed, is disabled: "if all
#: attempts to a specific endpoint fail for a period of 5 days" (https://docs.svix.com/retries, read 2026-11).
GIVEN_UP: Final = timedelta(days=5)
FAILURES: Final = 10
_FAILED: Final = (Reason.RETRY, Reason.CHANNEL_WAITS, Reason.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """What stands in the way of a channel."""

    id: str
    hold_until: datetime | None = None
    disabled_at: datetime | None = None
    reason: str = ""
    #: Of its configuration when it was disabled, or ``BY_HAND``.
    config: str = ""

    @property
    def disabled(self) -> bool:
        """Whether it takes nothing until somebody mends it."""
        return self.disabled_at is not None

    def waits_until(self, now: datetime) -> datetime | None:
        """Return until when it wants to be left alone; ``None`` when it does not."""
        return self.hold_until if self.hold_until is not None and self.hold_until > now else None


def states(t: Transaction) -> dict[str, ChannelState]:
    """Return the states of all channels to which something has happened."""
    return {
        row.id: ChannelState(
            id=row.id, hold_until=row.hold_until, disabled_at=row.disabled_at, reason=row.reason, config=row.config
        )
        for row in t.execute(_states())
    }


@cache
def _states() -> Any:  # noqa: ANN401 - a SELECT
    # Made once: it is asked for every claim of alerts and every alert that is begun.
    return select(channel).order_by(channel.c.id)


def hold(t: Transaction, channel_id: str, *, until: datetime) -> None:
    """Have all alerts for a channel wait until a time; one that is later already stays."""
    insert_new(t, channel, {"id": channel_id})
    sooner = or_(channel.c.hold_until.is_(None), channel.c.hold_until < until)
    t.execute(update(channel).where(channel.c.id == channel_id, sooner).values(hold_until=until))


def take_place(t: Transaction, channel_id: str, *, gap: timedelta, now: datetime) -> datetime | None:
    """Take the right to send one message now, after which the next may come when ``gap`` has passed.

    Returns when to ask again, when somebody else was faster; ``None`` when the place was taken.
    """
    insert_new(t, channel, {"id": channel_id})
    free = or_(channel.c.hold_until.is_(None), channel.c.hold_until <= now)
    taken = t.execute(update(channel).where(channel.c.id == channel_id, free).values(hold_until=now + gap))
    if taken.rowcount == 1:
        return None
    until: datetime = t.execute(select(channel.c.hold_until).where(channel.c.id == channel_id)).scalar_one()
    return until


def disable(t: Transaction, channel_id: str, *, reason: str, config: str, now: datetime) -> bool:
    """Have a channel take nothing until it is enabled; ``False`` when it is disabled already."""
    insert_new(t, channel, {"id": channel_id})
    values = {"disabled_at": now, "reason": reason, "config": config}
    changed = t.execute(
        update(channel).where(channel.c.id == channel_id, channel.c.disabled_at.is_(None)).values(**values)
    )
    return changed.rowcount == 1


def enable(t: Transaction, channel_id: str, *, now: datetime) -> int | None:
    """Let a channel be sent to again, at once; ``None`` when nothing stood in its way.

    Returns how many alerts had waited for it: all of them are due now.
    """
    blocked = or_(channel.c.disabled_at.is_not(None), channel.c.hold_until > now)
    free = {"disabled_at": None, "hold_until": None, "reason": "", "config": ""}
    if t.execute(update(channel).where(channel.c.id == channel_id, blocked).values(**free)).rowcount == 0:
        return None
    waited = update(alert).where(
        alert.c.channel_id == channel_id,
        alert.c.work == OPEN,
        alert.c.lease_until.is_(None),
        alert.c.reason.in_((Reason.CHANNEL_DISABLED, Reason.CHANNEL_WAITS)),
    )
    return t.execute(waited.values(due_at=now, reason=Reason.QUEUED)).rowcount


def park(t: Transaction, channel_id: str, *, now: datetime) -> None:
    """Put aside the alerts that are due on a disabled channel, all at once, so that no claim meets them one by one."""
    due = (
        select(alert.c.id)
        .where(
            alert.c.channel_id == channel_id,
            alert.c.work == OPEN,
            alert.c.due_at <= now,
            alert.c.lease_until.is_(None),
            # What is in doubt is resolved first.
            alert.c.started_at.is_(None),
        )
        # Others may have just claimed some: they put them aside themselves.
        .with_for_update(skip_locked=True)
    )
    t.execute(update(alert).where(alert.c.id.in_(due)).values(due_at=now + PARKED, reason=Reason.CHANNEL_DISABLED))


def failing(t: Transaction, channel_id: str, *, now: datetime) -> str:
    """Return why a channel should be disabled: nothing has arrived for ``GIVEN_UP``, however often it was tried.

    Empty when it should not. What has failed before it was last disabled does not count.
    """
    since, before = now - GIVEN_UP, now - 2 * GIVEN_UP
    # By the index on channel and due time: what was tried since then became due not long before.
    recent = (alert.c.channel_id == channel_id) & (alert.c.due_at >= before)
    sent_at = t.execute(select(func.max(alert.c.sent_at)).where(recent, alert.c.work == DONE)).scalar()
    if sent_at is not None and sent_at > since:
        return ""
    begins = max(before, sent_at or before, _last_disabled(t, channel_id, since=before) or before)
    first, count = t.execute(
        select(func.min(delivery.c.at), func.count())
        .join(alert, alert.c.key == delivery.c.alert_key)
        .where(recent, delivery.c.outcome.in_(_FAILED), delivery.c.at > begins)
    ).one()
    if count < FAILURES or first > since:
        return ""
    return f"nothing has arrived for {GIVEN_UP.days} days, and {count} attempts have failed"


def _last_disabled(t: Transaction, channel_id: str, *, since: datetime) -> datetime | None:
    """Return when a channel was last disabled, as the notice of it says."""
    notices = (alert.c.role == Role.NOTICE) & (alert.c.detail == channel_id)
    found: datetime | None = t.execute(
        select(func.max(alert.c.created_at)).where(alert.c.created_at >= since, notices)
    ).scalar()
    return found


def notice(t: Transaction, channel_id: str, text: str, *, to: str, now: datetime, off: str = "") -> bool:
    """Record the notice that a channel was disabled ``now``, for the channel ``to``; ``False`` when it is there.

    ``off`` says why it is sent to nobody; it is kept all the same, as the time from which failures count anew.
    """
    made = Alert(
        key=alert_key(topic_id="", story_id="", channel_id=channel_id, kind=f"disabled:{now.isoformat()}"),
        topic_id="",
        story_id="",
        channel_id=to,
        role=Role.NOTICE,
        article_id="",
        score=0.0,
        by="",
        evidence=(),
        clause=text,
        created_at=now,
        due_at=now,
        detail=channel_id,
    )
    values = alert_to_row(made)
    if off:
        values |= {"work": OFF, "last_error": off}
    added = insert_new(t, alert, values)
    if added:
        tallies.count(t, tallies.ALERTS, made.topic_id, made.role, now=now)
    return added
