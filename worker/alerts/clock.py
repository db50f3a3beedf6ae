"""Times of the day: how they are written in settings, which moment they mean, and how decisions speak of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

_TIME = re.compile(r"(\d{1,2}):(\d{2})")


def parse_time(text: str) -> time:
    """Return the time of the day that ``text`` writes as ``08:00``.

    Raises:
        ValueError: it is written otherwise, or no clock shows it.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no time such as 08:00')
    return time(int(found[1]), int(found[2]))


def parse_zone(name: str) -> tzinfo:
    """Return the time zone ``name``, as in ``Europe/Berlin``; UTC for an empty one.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(name) if name else UTC
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f'unknown time zone "{name}"; write it like Europe/Berlin') from error


def moment(day: date, clock: time, zone: tzinfo, *, fold: int = 0) -> datetime:
    """Return, in UTC, when the clocks of ``zone`` show ``clock`` on ``day``.

    A time that they show twice is its first occurrence, or with ``fold`` its second; one that they leave out is as much
    later as they are put forward (PEP 495).
    """
    return datetime.combine(day, clock.replace(fold=fold), tzinfo=zone).astimezone(UTC)


def shown(at: datetime, *, now: datetime) -> str:
    """Return a time in words, with its day unless it is that of ``now``: ``14:05 UTC``, ``12 Feb 08:00 UTC``."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    return at.strftime("%H:%M UTC" if at.date() == now.date() else "%-d %b %H:%M UTC")
