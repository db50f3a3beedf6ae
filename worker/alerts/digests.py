"""Digests: several alerts of one channel in one message, and when it is due."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

from worker.alerts.clock import moment, parse_time, parse_zone
from worker.model import Alert, Reason, Role, alert_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place of a digest: a channel, why it gathers, and when it is due."""

    channel_id: str
    #: ``digest``, ``quiet-hours``, ``budget``, or ``min-gap`` for what follows first alerts.
    reason: Reason
    due_at: datetime
    #: The key of a digest that waits there already; the time of such a one may have been moved since it was opened.
    opened: str = field(default="", compare=False)

    def key(self, number: int = 0) -> str:
        """Return the key of the digest of this slot; the next ``number`` is for one that was taken up already."""
        kind = f"digest:{self.reason}:{self.due_at.isoformat()}" + (f":{number}" if number else "")
        return alert_key(topic_id="", story_id="", channel_id=self.channel_id, kind=kind)


def digest_alert(slot: Slot, *, number: int = 0, now: datetime) -> Alert:
    """Return the alert that is the digest of a slot, still without items."""
    return Alert(
        key=slot.key(number),
        topic_id="",
        story_id="",
        channel_id=slot.channel_id,
        role=Role.DIGEST,
        article_id="",
        score=0.0,
        by="",
        evidence=(),
        clause="",
        created_at=now,
        due_at=slot.due_at,
        reason=slot.reason,
    )


def parse_digest(text: str) -> tuple[tuple[time, ...], tzinfo] | None:
    """Return the times of a digest and their zone; ``None`` for an empty text.

    ``08:00`` and ``08:00 18:00`` are in UTC, ``08:00 18:00 Europe/Berlin`` in the reader's own time.

    Raises:
        ValueError: the text has another form, a time that no clock shows, the same time twice, or an unknown zone.
    """
    words = text.split()
    if not words:
        return None
    zone = "" if ":" in words[-1] else words.pop()
    if not words:
        raise ValueError('expected times such as "08:00" or "08:00 18:00 Europe/Berlin"')
    times = tuple(map(parse_time, words))
    if len(set(times)) < len(times):
        raise ValueError("the same time stands there twice")
    return times, parse_zone(zone)


def next_digest(text: str, after: datetime) -> datetime | None:
    """Return the first time of a digest that is later than ``after``, in UTC; ``None`` when there are no times.

    A time that the reader's clocks show twice counts once, the first time; one that they leave out is as much later as
    they are put forward.
    """
    parsed = parse_digest(text)
    if parsed is None:
        return None
    times, zone = parsed
    today = after.astimezone(zone).date()
    # Three days, since what is later today in one offset may be earlier in the other.
    moments = (moment(today + timedelta(days=days), clock, zone) for days in (-1, 0, 1, 2) for clock in times)
    return min(at for at in moments if at > after)
