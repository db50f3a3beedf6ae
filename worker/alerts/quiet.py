"""Quiet hours: ``22:00-07:00`` in UTC, or ``22:00-07:00 Europe/Berlin`` in the reader's own time."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta, tzinfo

from worker.alerts.clock import moment, parse_zone

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
    return begin, end, parse_zone(found[5] or "")


def end_of_quiet(quiet_hours: str, at: datetime) -> datetime:
    """Return ``at``, or the end of the quiet hours that it falls into, which is never earlier.

    Quiet hours are what the clocks of their zone show: where these are put back into them, they begin once more.
    """
    parsed = parse_quiet_hours(quiet_hours)
    if parsed is None:
        return at
    begin, end, zone = parsed
    local = at.astimezone(zone)
    clock = local.time().replace(fold=0)
    quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not quiet:
        return at
    if clock < end:
        return max(at, moment(local.date(), end, zone, fold=local.fold))
    return max(at, moment(local.date() + timedelta(days=1), end, zone))
