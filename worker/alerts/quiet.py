"""Quiet hours: ``22:00-07:00`` in UTC, or ``22:00-07:00 Europe/Berlin`` in the reader's own time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?")


def parse_quiet_hours(text: str) -> tuple[time, time, tzinfo] | None:
    """Return when quiet begins and ends, and in which zone; ``None`` for an empty text.

    Raises:
        ValueError: the text has another form, a time that no clock shows, or an unknown zone.
    """
    if not text.strip():
        return None
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError('expected "22:00-07:00" or "22:00-07:00 Europe/Berlin"')
    begin = time(int(found[1]), int(found[2]))
    end = time(int(found[3]), int(found[4]))
    if begin == end:
        raise ValueError("begins and ends at the same time")
    try:
        zone: tzinfo = ZoneInfo(found[5]) if found[5] else UTC
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f'unknown time zone "{found[5]}"; write it like Europe/Berlin') from error
    return begin, end, zone


def end_of_quiet(quiet_hours: str, at: datetime) -> datetime:
    """Return ``at``, or the end of the quiet hours that it falls into."""
    parsed = parse_quiet_hours(quiet_hours)
    if parsed is None:
        return at
    begin, end, zone = parsed
    local = at.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not quiet:
        return at
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, tzinfo=zone).astimezone(UTC)
