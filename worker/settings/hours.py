"""Quiet hours."""

from __future__ import annotations

import re
import zoneinfo

from worker.settings.words import did_you_mean, shown

_HOURS = re.compile(
    r"(?P<start>(?:[01][0-9]|2[0-3]):[0-5][0-9])\s*-\s*(?P<end>(?:[01][0-9]|2[0-3]):[0-5][0-9])(?:\s+(?P<zone>\S+))?"
)


def quiet_hours(value: str) -> str:
    """Return ``value`` as ``HH:MM-HH:MM`` or ``HH:MM-HH:MM Area/City``; empty means never.

    Raises:
        ValueError: It is neither; the text says what to write.
    """
    if not value.strip():
        return ""
    found = _HOURS.fullmatch(value.strip())
    if not found:
        raise ValueError(f"{shown(value)} is no span of hours; write 22:00-07:00 or 22:00-07:00 Europe/Berlin")
    if found["start"] == found["end"]:
        raise ValueError("quiet hours begin and end at one time; write two different ones, or leave it empty")
    if zone := found["zone"]:
        _known(zone)
    return f"{found['start']}-{found['end']}" + (f" {zone}" if zone else "")


def _known(zone: str) -> None:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zones = zoneinfo.available_timezones()
        if not zones:
            raise ValueError("this machine has no time zones; install tzdata, or leave the zone out") from None
        hint = did_you_mean(zone, zones) or "; write one such as Europe/Berlin"
        raise ValueError(f"{shown(zone)} is no time zone{hint}") from None
