"""When an alert is due, why it waits, and whether it is told by itself or in a digest."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.alerts.clock import shown
from worker.alerts.digests import Slot, next_digest
from worker.alerts.policy import Policy, Recipient
from worker.alerts.quiet import end_of_quiet
from worker.model import Reason, Role

_HOUR = timedelta(hours=1)

#: Given a channel, when its messages of the last hour and those to come are due, earliest first.
DueTimes = Callable[[str], Sequence[datetime]]
#: Given a channel, its digests that wait and may still take something in.
Digests = Callable[[str], Sequence[Slot]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When an alert is due and the strongest reason for its waiting."""

    at: datetime
    reason: Reason = Reason.QUEUED
    detail: str = ""
    #: The digest in which it is told; ``None`` when it is a message of its own.
    slot: Slot | None = None


def is_loud(role: Role, policy: Policy) -> bool:
    """Return whether an alert of this role is a message, which counts against the budget, or a quiet update."""
    return role in {Role.FIRST, Role.DEVELOPMENT, Role.DIGEST} or (role is Role.REPORT and policy.follow_up == "every")


def due(
    role: Role,
    recipient: Recipient,
    *,
    urgent: bool = False,
    last: datetime | None = None,
    due_times: DueTimes,
    digests: Digests,
    now: datetime,
) -> Due:
    """Return when an alert of ``role`` is due.

    First alerts and developments of an ``urgent`` topic wait for nothing. ``last`` is when the last alert of the same
    topic and story is due or was; ``None`` when there is none.

    What is to wait for the time of a digest, for the end of quiet hours, or for the budget is told in one message with
    all else that waits for it. A channel that can neither thread nor edit hears first alerts one by one, and what
    follows in a digest.
    """
    policy = recipient.policy
    gathers = recipient.gathers and role is not Role.FIRST
    if urgent and not (gathers and role is Role.REPORT):
        return Due(at=now, detail="urgent")
    if at := next_digest(policy.digest, now):
        at = end_of_quiet(policy.quiet_hours, at)
        return _gathered(recipient, Reason.DIGEST, at, f"told in the digest of {shown(at, now=now)}")
    if gathers and (slot := _waiting(digests, recipient, Reason.MIN_GAP)):
        return _follow_ups(slot, now)
    return _in_its_time(role, recipient, last=last, due_times=due_times, digests=digests, now=now)


def _in_its_time(
    role: Role,
    recipient: Recipient,
    *,
    last: datetime | None,
    due_times: DueTimes,
    digests: Digests,
    now: datetime,
) -> Due:
    """Return when an alert is due that is neither urgent nor waits for the time of a digest."""
    policy = recipient.policy
    at, reason = _earliest(role, recipient, last=last, now=now)
    after_quiet = end_of_quiet(policy.quiet_hours, at)
    if after_quiet > at:
        return _quiet(recipient, after_quiet, now)
    if policy.per_hour and is_loud(role, policy) and (over := _over_budget(recipient, at, due_times, digests, now)):
        return over
    if recipient.gathers and role is not Role.FIRST:
        return _follow_ups(Slot(channel_id=recipient.id, reason=Reason.MIN_GAP, due_at=at), now)
    return Due(at=at, reason=reason, detail=_waits(policy, at, reason, now))


def due_correction(recipient: Recipient, *, urgent: bool, now: datetime) -> Due:
    """Return when a correction is due: at once, or at the end of quiet hours with what else waits for it."""
    after_quiet = now if urgent else end_of_quiet(recipient.policy.quiet_hours, now)
    return _quiet(recipient, after_quiet, now) if after_quiet > now else Due(at=now)


def _earliest(role: Role, recipient: Recipient, *, last: datetime | None, now: datetime) -> tuple[datetime, Reason]:
    policy = recipient.policy
    if role is Role.FIRST:
        return now + policy.group_wait, Reason.QUEUED
    if recipient.gathers:
        return now + policy.min_gap, Reason.MIN_GAP
    if last is not None and last + policy.min_gap > now:
        return last + policy.min_gap, Reason.MIN_GAP
    return now, Reason.QUEUED


def _over_budget(
    recipient: Recipient, at: datetime, due_times: DueTimes, digests: Digests, now: datetime
) -> Due | None:
    per_hour = recipient.policy.per_hour
    # While a message with the rest waits there is no room before it; in a burst this spares counting all of it.
    slot = _waiting(digests, recipient, Reason.BUDGET)
    if slot is None:
        within = within_budget(at, due_times(recipient.id), per_hour)
        if within == at:
            return None
        after_quiet = end_of_quiet(recipient.policy.quiet_hours, within)
        if after_quiet > within:
            return _quiet(recipient, after_quiet, now)
        slot = _slot(recipient, Reason.BUDGET, within)
    detail = f"{per_hour} in the last hour; told with the rest at {shown(slot.due_at, now=now)}"
    return Due(at=slot.due_at, reason=Reason.BUDGET, detail=detail, slot=slot)


def within_budget(at: datetime, times: Sequence[datetime], per_hour: int) -> datetime:
    """Return the first time from ``at`` on at which one more message leaves no hour with more than ``per_hour``.

    ``times`` are those of the other messages, earliest first.
    """
    moments = [at, *(time + _HOUR for time in times if time + _HOUR > at)]
    return next(moment for moment in moments if _has_room(moment, times, per_hour))


def _has_room(at: datetime, times: Sequence[datetime], per_hour: int) -> bool:
    """Return whether every hour that ends at a message from ``at`` on has room for one more."""
    ends = [at, *times[bisect_left(times, at) : bisect_left(times, at + _HOUR)]]
    return all(bisect_right(times, end) - bisect_right(times, end - _HOUR) < per_hour for end in ends)


def _waiting(digests: Digests, recipient: Recipient, reason: Reason) -> Slot | None:
    return next((slot for slot in digests(recipient.id) if slot.reason is reason), None)


def _slot(recipient: Recipient, reason: Reason, at: datetime) -> Slot:
    return Slot(channel_id=recipient.id, reason=reason, due_at=at)


def _gathered(recipient: Recipient, reason: Reason, at: datetime, detail: str) -> Due:
    return Due(at=at, reason=reason, detail=detail, slot=_slot(recipient, reason, at))


def _quiet(recipient: Recipient, at: datetime, now: datetime) -> Due:
    detail = f"{recipient.policy.quiet_hours}; told with the rest at {shown(at, now=now)}"
    return _gathered(recipient, Reason.QUIET_HOURS, at, detail)


def _follow_ups(slot: Slot, now: datetime) -> Due:
    detail = f"told with what else follows at {shown(slot.due_at, now=now)}"
    return Due(at=slot.due_at, reason=slot.reason, detail=detail, slot=slot)


def _waits(policy: Policy, at: datetime, reason: Reason, now: datetime) -> str:
    if reason is Reason.MIN_GAP:
        return f"{_span(policy.min_gap)} after the last alert of the story, at {shown(at, now=now)}"
    return f"waits {_span(at - now)} for others to join" if at > now else "told at once"


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
